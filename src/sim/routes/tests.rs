use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};

use super::access::{Attributes, Authorizer, Decision, Delivery, Failure, Interceptor, Observer, RequestRecord, StreamInterceptor};
use super::{Answer, ApiRequest, FrameSink, Front, Reply, RequestInfo};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, WatchEvent};

mod rights;

type Shared = Arc<Mutex<Vec<String>>>;

struct Lines(Shared);

impl FrameSink for Lines {
    fn frame(&mut self, frame: Bytes, _: std::time::Duration) -> bool {
        self.0.lock().unwrap().push(String::from_utf8(frame.to_vec()).unwrap());
        true
    }
}

/// A cluster and its surface, asked in one line per request.
struct World {
    cluster: Cluster,
    front: Front,
    frames: Shared,
}

impl World {
    fn new() -> Self {
        let cluster = Cluster::new(7, "2026-01-01T00:00:00Z".parse().unwrap());
        Self { cluster, front: Front::default(), frames: Shared::default() }
    }

    fn send(&mut self, request: &ApiRequest) -> Answer {
        let frames = Arc::clone(&self.frames);
        self.front.handle(&mut self.cluster, request, &mut || Box::new(Lines(Arc::clone(&frames)))).answer
    }

    fn reply(&mut self, request: &ApiRequest) -> Reply {
        match self.send(request) {
            Answer::Whole(reply) => reply,
            other => panic!("no whole answer: {other:?}"),
        }
    }

    /// Status and JSON body.
    fn json(&mut self, request: &ApiRequest) -> (u16, Value) {
        let reply = self.reply(request);
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    fn create_config_map(&mut self, name: &str) {
        let body = json!({"metadata": {"name": name, "labels": {"l": name}}, "data": {"a": "1"}});
        let (status, _) = self.json(&post("/api/v1/namespaces/default/configmaps", &body));
        assert_eq!(status, 201);
    }
}

fn request(method: &str, target: &str) -> ApiRequest {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    ApiRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        identity: Identity::user("tester"),
        ..ApiRequest::default()
    }
}

fn get(target: &str) -> ApiRequest {
    request("GET", target)
}

fn with_body(method: &str, target: &str, content_type: &str, body: &str) -> ApiRequest {
    ApiRequest { content_type: content_type.to_owned(), body: Bytes::copy_from_slice(body.as_bytes()), ..request(method, target) }
}

fn post(target: &str, body: &Value) -> ApiRequest {
    with_body("POST", target, "application/json", &body.to_string())
}

fn accepting(accept: &str, request: ApiRequest) -> ApiRequest {
    ApiRequest { accept: accept.to_owned(), ..request }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn objects_are_created_read_changed_and_deleted() {
    let mut world = World::new();
    world.create_config_map("a");
    let (status, object) = world.json(&get(&format!("{MAPS}/a")));
    assert_eq!((status, &object["data"]["a"], &object["kind"]), (200, &json!("1"), &json!("ConfigMap")));
    let merge = with_body("PATCH", &format!("{MAPS}/a"), "application/merge-patch+json", r#"{"data":{"b":"2"}}"#);
    assert_eq!(world.json(&merge).1["data"], json!({"a": "1", "b": "2"}));
    let mut changed = object.clone();
    changed["data"] = json!({"c": "3"});
    let put = with_body("PUT", &format!("{MAPS}/a"), "", &changed.to_string());
    assert_eq!(world.json(&put).0, 409, "stale resourceVersion");
    let (status, done) = world.json(&request("DELETE", &format!("{MAPS}/a")));
    assert_eq!((status, &done["status"], done.get("code")), (200, &json!("Success"), None));
    let (status, missing) = world.json(&get(&format!("{MAPS}/a")));
    assert_eq!((status, &missing["reason"], &missing["details"]["kind"]), (404, &json!("NotFound"), &json!("configmaps")));
}

#[test]
fn yaml_bodies_are_read_and_yaml_answers_are_written() {
    let mut world = World::new();
    let body = with_body("POST", MAPS, "application/yaml", "metadata:\n  name: yaml\ndata:\n  a: '1'\n");
    let reply = world.reply(&accepting("application/yaml", body));
    assert_eq!((reply.status, header(&reply, "content-type")), (201, Some("application/yaml")));
    assert!(String::from_utf8_lossy(&reply.body).contains("name: yaml"));
}

#[test]
fn lists_of_built_ins_have_no_kind_in_their_items_and_page() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.create_config_map(name);
    }
    let (_, list) = world.json(&get(&format!("{MAPS}?limit=2")));
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!((list["items"][0].get("kind"), list["items"][0].get("apiVersion")), (None, None));
    assert_eq!(list["metadata"]["remainingItemCount"], 1);
    let token = list["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = world.json(&get(&format!("{MAPS}?limit=2&continue={token}")));
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
}

#[test]
fn tables_and_partial_metadata_are_given_to_those_who_ask() {
    let mut world = World::new();
    world.create_config_map("a");
    let (_, table) = world.json(&accepting(TABLE, get(MAPS)));
    assert_eq!((&table["kind"], &table["rows"][0]["cells"]), (&json!("Table"), &json!(["a", 1, "0s"])));
    let (_, single) = world.json(&accepting(TABLE, get(&format!("{MAPS}/a?includeObject=Object"))));
    assert_eq!(single["rows"][0]["object"]["data"], json!({"a": "1"}));
    assert_eq!(world.json(&accepting(TABLE, get(&format!("{MAPS}?includeObject=All")))).0, 400);
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let (_, list) = world.json(&accepting(partial, get(MAPS)));
    assert_eq!((&list["kind"], &list["items"][0]["kind"]), (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata")));
    assert_eq!(list["items"][0].get("data"), None);
}

#[test]
fn a_watch_sends_json_lines_and_table_headings_once() {
    let mut world = World::new();
    world.create_config_map("a");
    let answer = world.send(&accepting(TABLE, get(&format!("{MAPS}?watch=true"))));
    assert_eq!(answer.status(), 200);
    world.create_config_map("b");
    let frames: Vec<Value> = world.frames.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(frames.len(), 2);
    assert_eq!((&frames[0]["type"], &frames[0]["object"]["rows"][0]["cells"][0]), (&json!("ADDED"), &json!("a")));
    assert!(frames[0]["object"]["columnDefinitions"].is_array());
    assert!(frames[1]["object"]["columnDefinitions"].is_null());
    assert!(world.frames.lock().unwrap().iter().all(|line| line.ends_with('\n')));
}

#[test]
fn an_item_path_with_watch_is_a_plain_get() {
    let mut world = World::new();
    world.create_config_map("a");
    assert_eq!(world.json(&get(&format!("{MAPS}/a?watch=true"))).1["metadata"]["name"], "a");
}

#[test]
fn what_is_not_served_is_text_for_unknown_groups_and_status_for_known_ones() {
    let mut world = World::new();
    for path in ["/apis/example.com/v1/widgets", "/apis/example.com/v1", "/apis/example.com", "/nonsense"] {
        let reply = world.reply(&get(path));
        assert_eq!((reply.status, &reply.body[..]), (404, &b"404 page not found\n"[..]), "{path}");
    }
    for path in [
        "/apis/apps/v9/deployments",
        "/apis/apps/v1/chairs",
        "/api/v1/namespaces/n/nodes",
        "/api/v1/pods/p",
        "/api/v1/namespaces/n/pods/p/chair",
    ] {
        let (status, body) = world.json(&get(path));
        assert_eq!((status, &body["message"]), (404, &json!("the server could not find the requested resource")), "{path}");
    }
}

#[test]
fn wrong_methods_and_types_are_refused() {
    let mut world = World::new();
    assert_eq!(world.json(&post("/api/v1/configmaps", &json!({}))).0, 405);
    assert_eq!(world.json(&request("PATCH", MAPS)).0, 405);
    assert_eq!(world.json(&request("DELETE", "/api/v1/namespaces")).0, 405);
    let (status, body) = world.json(&with_body("PATCH", &format!("{MAPS}/a"), "text/plain", "{}"));
    assert_eq!((status, &body["message"]), (415, &json!("415: Unsupported Media Type")));
    assert_eq!(world.json(&with_body("POST", MAPS, "text/plain", "{}")).0, 415);
    assert_eq!(world.json(&accepting("text/html", get(MAPS))).0, 406);
    assert_eq!(world.json(&with_body("PATCH", &format!("{MAPS}/a?force=true"), "application/merge-patch+json", "{}")).0, 422);
    let (status, body) = world.json(&get("/api/v1/namespaces/n/pods/p/exec"));
    assert_eq!((status, &body["reason"]), (501, &json!("NotImplemented")));
}

#[test]
fn duplicate_fields_warn_or_are_refused() {
    let mut world = World::new();
    let text = r#"{"metadata":{"name":"d"},"data":{"a":"1","a":"2"}}"#;
    let strict = world.json(&with_body("POST", &format!("{MAPS}?fieldValidation=Strict"), "", text));
    let sentence = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"data.a\"";
    assert_eq!((strict.0, &strict.1["message"]), (400, &json!(sentence)));
    let reply = world.reply(&with_body("POST", MAPS, "", text));
    assert_eq!((reply.status, header(&reply, "warning")), (201, Some("299 - \"duplicate field \\\"data.a\\\"\"")));
    assert_eq!(header(&world.reply(&with_body("PUT", &format!("{MAPS}/d?fieldValidation=Ignore"), "", text)), "warning"), None);
}

#[test]
fn scale_status_and_eviction_have_their_paths() {
    let mut world = World::new();
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let deployment =
        json!({"metadata": {"name": "d"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}});
    assert_eq!(world.json(&post("/apis/apps/v1/namespaces/default/deployments", &deployment)).0, 201);
    let path = "/apis/apps/v1/namespaces/default/deployments/d";
    assert_eq!(world.json(&get(&format!("{path}/scale"))).1["spec"], json!({"replicas": 2}));
    let (status, scale) =
        world.json(&with_body("PATCH", &format!("{path}/scale"), "application/merge-patch+json", r#"{"spec":{"replicas":5}}"#));
    assert_eq!((status, &scale["kind"], &scale["spec"]["replicas"]), (200, &json!("Scale"), &json!(5)));
    assert_eq!(world.json(&get(&format!("{path}/status"))).1["spec"]["replicas"], 5);
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "nobody"}});
    assert_eq!(world.json(&post("/api/v1/namespaces/default/pods/nobody/eviction", &eviction)).0, 404);
}

#[test]
fn version_health_and_discovery_answer() {
    let mut world = World::new();
    let reply = world.reply(&get("/version"));
    assert!(String::from_utf8_lossy(&reply.body).starts_with("{\n  \""));
    assert_eq!(&world.reply(&get("/readyz")).body[..], b"ok");
    assert_eq!(world.reply(&get("/livez/nonsense")).status, 404);
    assert!(String::from_utf8_lossy(&world.reply(&get("/healthz?verbose")).body).contains("[+]etcd ok"));
    let aggregated = accepting("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", get("/apis"));
    let reply = world.reply(&aggregated);
    let tag = header(&reply, "etag").unwrap().to_owned();
    assert_eq!(header(&reply, "content-type"), Some("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"));
    assert_eq!(world.reply(&ApiRequest { if_none_match: tag, ..aggregated }).status, 304);
    assert_eq!(world.json(&get("/apis")).1["kind"], "APIGroupList");
    assert_eq!(world.json(&get("/api/v1")).1["kind"], "APIResourceList");
    assert_eq!(world.reply(&get("/openapi/v2")).status, 406);
}

#[test]
fn openapi_documents_move_to_their_hash() {
    let mut world = World::new();
    let index: Value = serde_json::from_slice(&world.reply(&get("/openapi/v3")).body).unwrap();
    let url = index["paths"]["apis/batch/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let reply = world.reply(&get(&url));
    assert_eq!((reply.status, header(&reply, "cache-control")), (200, Some("public, immutable")));
    let moved = world.reply(&get("/openapi/v3/apis/batch/v1?hash=00"));
    assert_eq!((moved.status, header(&moved, "location")), (301, Some(url.as_str())));
    assert_eq!(world.reply(&get("/openapi/v3/apis/example.com/v1")).status, 404);
}

struct OnlyConfigMaps;

impl Authorizer for OnlyConfigMaps {
    fn allows(&self, _: &Identity, attributes: &Attributes<'_>) -> bool {
        attributes.resource == "configmaps" && attributes.verb != "delete"
    }
}

#[test]
fn an_authorizer_refuses_before_anything_else_and_is_asked_by_reviews() {
    let mut world = World::new();
    world.front.authorizer = Some(Box::new(OnlyConfigMaps));
    world.create_config_map("a");
    let (status, body) = world.json(&get("/apis/example.com/v1/widgets"));
    assert_eq!((status, &body["reason"]), (403, &json!("Forbidden")));
    let (_, body) = world.json(&request("DELETE", &format!("{MAPS}/a")));
    let text = "configmaps \"a\" is forbidden: User \"tester\" cannot delete resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert_eq!(body["message"], text);
    world.front.authorizer = None;
    let review = |verb: &str| json!({"spec": {"resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": "default"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (status, allowed) = world.json(&post(path, &review("delete")));
    assert_eq!((status, &allowed["status"]["allowed"], &allowed["kind"]), (201, &json!(true), &json!("SelfSubjectAccessReview")));
    assert_eq!(world.json(&post(path, &json!({"spec": {}}))).0, 422);
    let (_, me) = world.json(&post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({})));
    assert_eq!(me["status"]["userInfo"]["username"], "tester");
    assert_eq!(world.json(&get(path)).0, 405);
}

struct Fails(Decision);

impl Interceptor for Fails {
    fn before(&mut self, _: u64, _: &Identity, info: &RequestInfo) -> Decision {
        if info.verb == "create" { self.0.clone() } else { Decision::Pass }
    }
}

#[test]
fn an_interceptor_fails_a_request_before_or_after_its_commit() {
    let mut world = World::new();
    let create = |name: &str| post(MAPS, &json!({"metadata": {"name": name}}));
    let failure = Failure::Status(Box::new(ApiError::new(503, "ServiceUnavailable", "fault")));
    world.front.interceptor = Some(Box::new(Fails(Decision::FailBefore(failure))));
    assert_eq!(world.json(&create("a")).0, 503);
    assert_eq!(world.json(&get(&format!("{MAPS}/a"))).0, 404);
    world.front.interceptor = Some(Box::new(Fails(Decision::FailAfter(Failure::Reset))));
    assert_eq!(world.send(&create("b")), Answer::Broken);
    assert_eq!(world.json(&get(&format!("{MAPS}/b"))).0, 200);
}

struct Record(Arc<Mutex<Vec<RequestRecord>>>);

impl Observer for Record {
    fn answered(&mut self, record: &RequestRecord) {
        self.0.lock().unwrap().push(record.clone());
    }
}

struct OnlyPatches;

impl Authorizer for OnlyPatches {
    fn allows(&self, _: &Identity, attributes: &Attributes<'_>) -> bool {
        attributes.verb == "patch"
    }
}

#[test]
fn an_apply_that_would_create_needs_the_right_to_create() {
    let mut world = World::new();
    world.create_config_map("there");
    world.front.authorizer = Some(Box::new(OnlyPatches));
    let apply = |name: &str, body: &Value| {
        with_body("PATCH", &format!("{MAPS}/{name}?fieldManager=m"), "application/apply-patch+yaml", &body.to_string())
    };
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": "1"}});
    assert_eq!(world.json(&apply("there", &map("there"))).0, 200);
    let (status, body) = world.json(&apply("new", &map("new")));
    let text = "configmaps \"new\" is forbidden: User \"tester\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert_eq!((status, &body["message"]), (403, &json!(text)));
    world.front.authorizer = None;
    assert_eq!(world.json(&get(&format!("{MAPS}/new"))).0, 404);
    let log = Arc::new(Mutex::new(Vec::new()));
    world.front.observers.push(Box::new(Record(Arc::clone(&log))));
    assert_eq!(world.json(&apply("new", &map("new"))).0, 201);
    assert_eq!(world.json(&apply("new", &map("new"))).0, 200);
    let created: Vec<bool> = log.lock().unwrap().iter().map(|record| record.created).collect();
    assert_eq!(created, [true, false]);
}

struct Lags;

impl Interceptor for Lags {
    fn before(&mut self, _: u64, _: &Identity, info: &RequestInfo) -> Decision {
        if info.verb == "list" { Decision::Stale(1) } else { Decision::Pass }
    }
}

#[test]
fn a_stale_list_shows_the_past() {
    let mut world = World::new();
    world.create_config_map("a");
    world.create_config_map("b");
    world.front.interceptor = Some(Box::new(Lags));
    let (_, list) = world.json(&get(MAPS));
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
}

struct Garbles;

impl StreamInterceptor for Garbles {
    fn event(&mut self, _: &Identity, _: &RequestInfo, event: WatchEvent) -> Delivery {
        match event.object["metadata"]["name"].as_str() {
            Some("hidden") => Delivery { events: Vec::new(), ..Delivery::pass(event) },
            Some("twice") => Delivery { events: vec![event.clone(), event.clone()], ..Delivery::pass(event) },
            Some("gone") => Delivery::expired(),
            _ => Delivery::pass(event),
        }
    }
}

#[test]
fn a_stream_interceptor_hides_repeats_and_ends() {
    let mut world = World::new();
    world.front.stream_interceptor = Some(Arc::new(Mutex::new(Garbles)));
    world.send(&get(&format!("{MAPS}?watch=true")));
    for name in ["hidden", "twice", "gone", "after"] {
        world.create_config_map(name);
    }
    let frames: Vec<Value> = world.frames.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<String> = frames.iter().map(|frame| format!("{} {}", frame["type"], frame["object"]["metadata"]["name"])).collect();
    assert_eq!(seen, ["\"ADDED\" \"twice\"", "\"ADDED\" \"twice\"", "\"ERROR\" null"]);
    assert_eq!((&frames[2]["object"]["code"], world.cluster.watch_count()), (&json!(410), 0));
}

#[test]
fn observers_hear_who_asked_what_with_which_result() {
    let mut world = World::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    world.front.observers.push(Box::new(Record(Arc::clone(&log))));
    world.create_config_map("a");
    world.json(&get("/apis/apps/v1/namespaces/default/deployments/none/scale"));
    let log = log.lock().unwrap();
    assert_eq!((log[0].info.verb.as_str(), log[0].code, log[0].who.user.as_str()), ("create", 201, "tester"));
    assert_eq!((log[1].index, log[1].info.subresource.as_str(), log[1].code), (1, "scale", 404));
}

#[test]
fn logs_tell_what_is_known_of_the_container() {
    let mut world = World::new();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(world.json(&post("/api/v1/namespaces/default/pods", &pod)).0, 201);
    let path = "/api/v1/namespaces/default/pods/p";
    assert!(world.json(&get(&format!("{path}/log"))).1["message"].as_str().unwrap().ends_with("is waiting to start: ContainerCreating"));
    let status = json!({"status": {"containerStatuses": [
        {"name": "c", "image": "i", "imageID": "x", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}});
    let patch = with_body("PATCH", &format!("{path}/status"), "application/merge-patch+json", &status.to_string());
    assert_eq!(world.json(&patch).0, 200);
    let reply = world.reply(&get(&format!("{path}/log?timestamps=true")));
    assert_eq!(String::from_utf8_lossy(&reply.body), "2026-01-01T00:00:00Z simulated container c (i) started\n");
    assert_eq!(world.json(&get(&format!("{path}/log?container=x"))).0, 400);
}

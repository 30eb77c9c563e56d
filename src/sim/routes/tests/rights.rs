//! Where the stored roles decide: requests, reviews, impersonation, and rights that nobody can give who has none.

use serde_json::{Value, json};

use super::super::rbac::bootstrap;
use super::super::{ApiRequest, Impersonation};
use super::{World, get, post, with_body};
use crate::sim::cluster::Identity;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

fn world() -> World {
    let mut world = World::new();
    bootstrap(&mut world.cluster).unwrap();
    world.front.roles = true;
    world
}

fn by(user: &str, request: ApiRequest) -> ApiRequest {
    ApiRequest { identity: Identity::user(user), ..request }
}

fn admin(request: ApiRequest) -> ApiRequest {
    let mut identity = Identity::user("admin");
    identity.groups.push("system:masters".to_owned());
    ApiRequest { identity, ..request }
}

/// A request with `Impersonate-*` headers, asked by `user` or by the administrator.
fn as_other(user: Option<&str>, headers: &[(&'static str, &str)], request: ApiRequest) -> ApiRequest {
    let request = user.map_or_else(|| admin(request.clone()), |user| by(user, request.clone()));
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let asked = Impersonation::from_headers(&map, &request.identity).unwrap();
    ApiRequest { identity: asked.identity(), impersonation: Some(Box::new(asked)), ..request }
}

/// Makes a ClusterRole with one rule and binds it to a user.
fn grant(world: &mut World, name: &str, user: &str, group: &str, resources: &[&str], verbs: &[&str]) {
    let rules = json!([{"apiGroups": [group], "resources": resources, "verbs": verbs}]);
    let role = json!({"metadata": {"name": name}, "rules": rules});
    assert_eq!(world.json(&admin(post(&format!("{RBAC}/clusterroles"), &role))).0, 201);
    assert_eq!(world.json(&admin(post(&format!("{RBAC}/clusterrolebindings"), &binding(name, user)))).0, 201);
}

fn binding(role: &str, user: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    let subject = json!({"apiGroup": group, "kind": "User", "name": user});
    json!({"metadata": {"name": role}, "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role}, "subjects": [subject]})
}

fn message(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["message"].as_str().unwrap_or_default())
}

#[test]
fn a_role_that_is_too_small_is_not_enough() {
    let mut world = world();
    grant(&mut world, "reader", "bob", "", &["configmaps"], &["get"]);
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(world.json(&by("bob", get(&format!("{maps}/a")))).0, 404, "allowed, and not there");
    let answer = world.json(&by("bob", get(maps)));
    let expected =
        "configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert_eq!(message(&answer), (403, expected));
    assert_eq!(world.json(&by("bob", get("/api/v1/namespaces/default/secrets/a"))).0, 403);
    assert_eq!(world.json(&by("bob", get("/version"))).0, 200, "everybody may");
}

#[test]
fn an_apply_that_creates_needs_the_right_to_create() {
    let mut world = world();
    grant(&mut world, "patcher", "joe", "", &["configmaps"], &["patch"]);
    let target = "/api/v1/namespaces/default/configmaps/a?fieldManager=joe";
    let apply =
        with_body("PATCH", target, "application/apply-patch+yaml", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#);
    let answer = world.json(&by("joe", apply.clone()));
    assert!(message(&answer).1.contains("User \"joe\" cannot create resource \"configmaps\""), "{answer:?}");
    assert_eq!(world.json(&admin(apply.clone())).0, 201);
    assert_eq!(world.json(&by("joe", apply)).0, 200);
}

#[test]
fn nobody_gives_rights_that_he_does_not_have() {
    let mut world = world();
    let kinds = ["roles", "rolebindings", "clusterroles", "clusterrolebindings"];
    grant(&mut world, "granter", "joe", "rbac.authorization.k8s.io", &kinds, &["create", "patch"]);
    let role = json!({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    let roles = format!("{RBAC}/namespaces/default/roles");
    let expected = "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"joe\" (groups=[\"system:authenticated\"]) is attempting to \
                    grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}";
    assert_eq!(message(&world.json(&by("joe", post(&roles, &role)))), (403, expected));
    let bindings = format!("{RBAC}/clusterrolebindings");
    assert_eq!(world.json(&by("joe", post(&bindings, &binding("cluster-admin", "joe")))).0, 403);
    let mut more = binding("granter", "eve");
    more["metadata"]["name"] = json!("granter-of-eve");
    assert_eq!(world.json(&by("joe", post(&bindings, &more))).0, 201, "what he has himself");
    let missing = world.json(&by("joe", post(&bindings, &binding("nonesuch", "joe"))));
    assert_eq!(message(&missing), (404, "clusterrolebindings.rbac.authorization.k8s.io \"nonesuch\" not found"));
    let widen = with_body("PATCH", &format!("{RBAC}/clusterroles/granter"), "application/merge-patch+json", &role.to_string());
    assert_eq!(message(&world.json(&by("joe", widen))).0, 400, "another name in the body");
    let rules = json!({"rules": role["rules"]}).to_string();
    let widen = with_body("PATCH", &format!("{RBAC}/clusterroles/granter"), "application/merge-patch+json", &rules);
    assert_eq!(world.json(&by("joe", widen)).0, 403);
    let gather = json!({"metadata": {"name": "g"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}});
    let answer = world.json(&by("joe", post(&format!("{RBAC}/clusterroles"), &gather)));
    assert!(message(&answer).1.ends_with("must have cluster-admin privileges to use the aggregationRule"), "{answer:?}");
    assert_eq!(world.json(&admin(post(&roles, &role))).0, 201, "an administrator may");
}

#[test]
fn escalate_and_bind_are_rights_of_their_own() {
    let mut world = world();
    grant(&mut world, "granter", "joe", "rbac.authorization.k8s.io", &["roles", "clusterrolebindings"], &["create", "escalate"]);
    let role = json!({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    assert_eq!(world.json(&by("joe", post(&format!("{RBAC}/namespaces/default/roles"), &role))).0, 201);
    let bind = post(&format!("{RBAC}/clusterrolebindings"), &binding("view", "joe"));
    let of_view = json!({"metadata": {"name": "view-rules"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    assert_eq!(world.json(&admin(post(&format!("{RBAC}/clusterroles"), &of_view))).0, 201);
    let bind_rules = post(&format!("{RBAC}/clusterrolebindings"), &binding("view-rules", "joe"));
    assert_eq!(world.json(&by("joe", bind_rules.clone())).0, 403);
    grant(&mut world, "binder", "joe", "rbac.authorization.k8s.io", &["clusterroles"], &["bind"]);
    assert_eq!((world.json(&by("joe", bind_rules)).0, world.json(&by("joe", bind)).0), (201, 201));
}

#[test]
fn asking_as_somebody_else_needs_the_right_to() {
    let mut world = world();
    let pods = || get("/api/v1/namespaces/default/pods");
    let bob = [("impersonate-user", "bob")];
    let answer = world.json(&as_other(Some("eve"), &bob, pods()));
    let expected = "users \"bob\" is forbidden: User \"eve\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope";
    assert_eq!(message(&answer), (403, expected));
    assert!(
        message(&world.json(&as_other(None, &bob, pods()))).1.contains("User \"bob\" cannot list"),
        "no administrator's rights are left"
    );
    grant(&mut world, "impersonator", "eve", "", &["users"], &["impersonate"]);
    grant(&mut world, "lister", "bob", "", &["pods"], &["list"]);
    assert_eq!(world.json(&as_other(Some("eve"), &bob, pods())).0, 200);
    let masters = [("impersonate-user", "bob"), ("impersonate-group", "system:masters")];
    assert_eq!(world.json(&as_other(Some("eve"), &masters, pods())).0, 403, "groups need a right of their own");
    let account = [("impersonate-user", "system:serviceaccount:default:robot")];
    assert_eq!(world.json(&as_other(Some("eve"), &account, pods())).0, 403, "service accounts too");
}

#[test]
fn reviews_tell_what_the_roles_say() {
    let mut world = world();
    grant(&mut world, "lister", "bob", "", &["pods"], &["list"]);
    let pods = json!({"verb": "list", "resource": "pods", "namespace": "default"});
    let own = post(&format!("{REVIEWS}/selfsubjectaccessreviews"), &json!({"spec": {"resourceAttributes": pods}}));
    let reason = "RBAC: allowed by ClusterRoleBinding \"lister\" of ClusterRole \"lister\" to User \"bob\"";
    assert_eq!(world.json(&by("bob", own.clone())).1["status"], json!({"allowed": true, "reason": reason}));
    assert_eq!(world.json(&by("eve", own.clone())).1["status"], json!({"allowed": false}));
    assert_eq!(world.json(&admin(own)).1["status"], json!({"allowed": true}));
    let mut about = json!({"spec": {"user": "bob", "resourceAttributes": pods}});
    let all = format!("{REVIEWS}/subjectaccessreviews");
    assert_eq!(world.json(&admin(post(&all, &about))).1["status"]["allowed"], true);
    assert_eq!(world.json(&by("bob", post(&all, &about))).0, 403, "asking about others is a right");
    let local = |namespace: &str| format!("{REVIEWS}/namespaces/{namespace}/localsubjectaccessreviews");
    assert_eq!(world.json(&admin(post(&local("default"), &about))).1["status"]["allowed"], true);
    let error = world.json(&admin(post(&local("kube-public"), &about)));
    let expected = ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"default\": must match \
                    metadata.namespace";
    assert_eq!(message(&error), (422, expected));
    about["spec"]["nonResourceAttributes"] = json!({"verb": "get", "path": "/"});
    assert_eq!(world.json(&admin(post(&all, &about))).0, 422, "one or the other");
    about["metadata"] = json!({"name": "x"});
    assert!(message(&world.json(&admin(post(&all, &about)))).1.contains("metadata: Invalid value: {\"name\":\"x\"}: must be empty"));
}

#[test]
fn rules_and_identities_are_told() {
    let mut world = world();
    grant(&mut world, "lister", "bob", "", &["pods"], &["list"]);
    let rules = format!("{REVIEWS}/selfsubjectrulesreviews");
    let status = world.json(&by("bob", post(&rules, &json!({"spec": {"namespace": "default"}})))).1["status"].clone();
    let listed = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]});
    assert!(status["resourceRules"].as_array().unwrap().contains(&listed), "{status}");
    assert!(status["nonResourceRules"].as_array().unwrap().len() >= 2 && status["incomplete"] == false);
    assert_eq!(message(&world.json(&by("bob", post(&rules, &json!({"spec": {}}))))), (400, "no namespace on request"));
    let headers = [("impersonate-user", "bob"), ("impersonate-uid", "u1"), ("impersonate-extra-team", "a")];
    let who = as_other(None, &headers, post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({})));
    let expected = json!({"username": "bob", "uid": "u1", "groups": ["system:authenticated"], "extra": {"team": ["a"]}});
    assert_eq!(world.json(&who).1["status"]["userInfo"], expected);
}

#[test]
fn roles_are_not_asked_unless_they_are_to_decide() {
    let mut world = World::new();
    let secrets = "/api/v1/namespaces/default/secrets";
    assert_eq!(world.json(&by("anybody", get(secrets))).0, 200);
    world.front.roles = true;
    assert_eq!(world.json(&by("anybody", get(secrets))).0, 403);
}

#[test]
fn a_token_is_its_service_account_until_it_expires() {
    let mut world = world();
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    assert_eq!(world.json(&admin(post(accounts, &json!({"metadata": {"name": "robot"}})))).0, 201);
    let asked = post(&format!("{accounts}/robot/token"), &json!({"spec": {"expirationSeconds": 600}}));
    let token = world.json(&admin(asked)).1["status"]["token"].as_str().unwrap().to_owned();
    let with = |bearer: &str, request| ApiRequest { bearer: bearer.to_owned(), ..admin(request) };
    let who = || post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({}));
    let told = world.json(&with(&token, who())).1["status"]["userInfo"]["username"].clone();
    assert_eq!(told, "system:serviceaccount:default:robot");
    let pods = || get("/api/v1/namespaces/default/pods");
    assert_eq!(world.json(&with(&token, pods())).0, 403, "no administrator any more");
    grant(&mut world, "lister", "system:serviceaccount:default:robot", "", &["pods"], &["list"]);
    assert_eq!(world.json(&with(&token, pods())).0, 200);
    let stranger = world.json(&with("nonesuch", pods()));
    assert_eq!((stranger.0, &stranger.1["reason"]), (401, &json!("Unauthorized")));
    let mut disguised = as_other(None, &[("impersonate-user", "bob")], pods());
    disguised.bearer.clone_from(&token);
    assert!(message(&world.json(&disguised)).1.contains("User \"system:serviceaccount:default:robot\" cannot impersonate"));
    let later = world.cluster.now() + jiff::SignedDuration::from_secs(600);
    world.cluster.set_now(later);
    assert_eq!(world.json(&with(&token, pods())).0, 401, "expired");
}

//! Caches against the fake API server, in virtual time.

use std::time::Duration;

use kube::core::GroupVersionKind;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::*;
use crate::runtime::{
    clock::VirtualClock,
    fake::{Fake, Fault},
    telemetry::metrics::Metrics,
};

pub(crate) const WIDGETS: &str = "/apis/example.com/v1/widgets";

pub(crate) struct Widgets;

impl Watched for Widgets {
    type Row = i64;

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"))
    }

    fn project(&self, object: &Value) -> Result<i64, String> {
        object["spec"]["size"].as_i64().ok_or_else(|| "spec.size is no integer".to_owned())
    }

    fn index(&self, object: &Value) -> Vec<String> {
        object["spec"]["owner"].as_str().map(str::to_owned).into_iter().collect()
    }
}

struct Gadgets;

impl Watched for Gadgets {
    type Row = ();

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Gadget"))
    }

    fn optional(&self) -> bool {
        true
    }

    fn project(&self, _object: &Value) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) fn widget(namespace: &str, name: &str, size: i64) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"namespace": namespace, "name": name}, "spec": {"size": size},
    })
}

fn start(fake: &Fake, cache: Arc<dyn AnyCache>) {
    let context = WatchContext {
        client: patient(fake.client()),
        clock: Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH)),
        metrics: Arc::new(Metrics::default()),
        salt: 1,
    };
    tokio::spawn(cache.feed(context));
}

async fn started(fake: &Fake) -> Arc<Cache<Widgets>> {
    let cache = Cache::new(Widgets);
    start(fake, Arc::clone(&cache) as Arc<dyn AnyCache>);
    sleep(Duration::from_secs(2)).await;
    cache
}

fn sizes(cache: &Cache<Widgets>) -> Vec<(String, Option<i64>)> {
    let entries = cache.list_all();
    entries.iter().map(|entry| (entry.key.to_string(), entry.row.clone().ok())).collect()
}

fn size(cache: &Cache<Widgets>, name: &str) -> Option<i64> {
    cache.get(&ObjectKey::new("a", name))?.row.clone().ok()
}

#[tokio::test(start_paused = true)]
async fn a_list_of_several_pages_fills_the_cache() {
    let mut fake = Fake::new();
    fake.page_size = 2;
    for (namespace, name) in [("b", "x"), ("a", "y"), ("a", "x"), ("c", "z"), ("a", "z")] {
        fake.put(WIDGETS, widget(namespace, name, 1));
    }
    let cache = started(&fake).await;
    assert_eq!(fake.count("list"), 3);
    assert_eq!(cache.state(), CacheState::Synced);
    let keys = sizes(&cache).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys, ["a/x", "a/y", "a/z", "b/x", "c/z"]);
    assert_eq!(cache.list("a").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn changes_on_the_watch_reach_rows_index_and_listeners() {
    let fake = Fake::new();
    let cache = started(&fake).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    cache.on_change(move |change| {
        let row = |entry: &Option<Arc<Entry<i64>>>| entry.as_ref().and_then(|entry| entry.row.clone().ok());
        sink.lock().unwrap().push((change.key.to_string(), row(&change.old), row(&change.new)));
    });
    let mut object = widget("a", "x", 1);
    object["spec"]["owner"] = json!("me");
    fake.put(WIDGETS, object.clone());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cache.indexed("me").len(), 1);
    object["spec"] = json!({"size": 2, "owner": "you"});
    fake.put(WIDGETS, object);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((cache.indexed("me").len(), cache.indexed("you").len()), (0, 1));
    fake.remove(WIDGETS, "a", "x");
    sleep(Duration::from_secs(1)).await;
    assert!(cache.is_empty() && cache.indexed("you").is_empty());
    let key = || "a/x".to_owned();
    let expected = [(key(), None, Some(1)), (key(), Some(1), Some(2)), (key(), Some(2), None)];
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(fake.count("list"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_harms_only_itself() {
    let fake = Fake::new();
    fake.put(WIDGETS, widget("a", "good", 1));
    let mut bad = widget("a", "bad", 0);
    bad["spec"]["size"] = json!("huge");
    bad["spec"]["owner"] = json!("me");
    fake.put(WIDGETS, bad);
    let cache = started(&fake).await;
    assert_eq!(size(&cache, "good"), Some(1));
    let bad = cache.get(&ObjectKey::new("a", "bad")).unwrap();
    assert_eq!(bad.row, Err("spec.size is no integer".to_owned()));
    assert_eq!(cache.indexed("me").len(), 1);
    fake.put(WIDGETS, widget("a", "later", 3));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(size(&cache, "later"), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_day_without_changes_asks_for_watches_only() {
    let fake = Fake::new();
    let cache = started(&fake).await;
    sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(cache.state(), CacheState::Synced);
    assert_eq!(fake.count("list"), 1);
    let watches = fake.count("watch");
    assert!((400..=433).contains(&watches), "{watches}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_revision_leads_to_a_new_list_whichever_way_it_is_told() {
    for fault in [Fault::Status(410, "Expired"), Fault::ErrorFrame(410)] {
        let fake = Fake::new();
        fake.put(WIDGETS, widget("a", "x", 1));
        fake.put(WIDGETS, widget("a", "gone", 1));
        let cache = started(&fake).await;
        fake.fail("watch", fault);
        fake.close_watches();
        fake.remove(WIDGETS, "a", "gone");
        fake.put(WIDGETS, widget("a", "x", 2));
        fake.compact();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(sizes(&cache), [("a/x".to_owned(), Some(2))]);
        assert_eq!(fake.count("list"), 2);
        assert_eq!(cache.state(), CacheState::Synced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_for_which_every_revision_is_too_old_is_not_asked_in_a_loop() {
    let fake = Fake::new();
    for _ in 0..1000 {
        fake.fail("watch", Fault::Status(410, "Expired"));
    }
    let _cache = started(&fake).await;
    sleep(Duration::from_secs(600)).await;
    assert!(fake.count("list") < 35, "{}", fake.count("list"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop() {
    let fake = Fake::new();
    for _ in 0..1000 {
        fake.fail("watch", Fault::Closed);
    }
    let cache = started(&fake).await;
    sleep(Duration::from_secs(600)).await;
    assert!(fake.count("watch") < 35, "{}", fake.count("watch"));
    assert!(matches!(cache.state(), CacheState::Failing { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_closed_after_every_event_loses_none_and_keeps_up() {
    let fake = Fake::new();
    let cache = started(&fake).await;
    for number in 0..50 {
        fake.put(WIDGETS, widget("a", "x", number));
        sleep(Duration::from_millis(20)).await;
        fake.close_watches();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(size(&cache, "x"), Some(number));
    }
    assert_eq!(fake.count("list"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stall_is_noticed_within_300_seconds() {
    for fault in [Fault::Stalled, Fault::Silent] {
        let fake = Fake::new();
        let cache = started(&fake).await;
        fake.fail("watch", fault);
        fake.close_watches();
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        fake.put(WIDGETS, widget("a", "x", 1));
        while size(&cache, "x").is_none() {
            sleep(Duration::from_secs(1)).await;
            assert!(began.elapsed() < Duration::from_secs(300));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_lost_is_noticed_within_300_seconds_without_a_list() {
    let fake = Fake::new();
    fake.put(WIDGETS, widget("a", "changed", 1));
    fake.put(WIDGETS, widget("a", "gone", 1));
    let cache = started(&fake).await;
    fake.losing(|| {
        fake.put(WIDGETS, widget("a", "changed", 2));
        fake.put(WIDGETS, widget("a", "new", 1));
        fake.remove(WIDGETS, "a", "gone");
    });
    fake.put(WIDGETS, widget("a", "other", 1));
    sleep(Duration::from_secs(190)).await;
    assert_eq!((size(&cache, "changed"), size(&cache, "gone"), size(&cache, "other")), (Some(1), Some(1), Some(1)));
    sleep(Duration::from_secs(110)).await;
    assert_eq!((size(&cache, "changed"), size(&cache, "new"), size(&cache, "gone")), (Some(2), Some(1), None));
    assert_eq!(fake.count("list"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_watch_backs_off_says_so_and_recovers_without_a_list() {
    let fake = Fake::new();
    let cache = started(&fake).await;
    for _ in 0..6 {
        fake.fail("watch", Fault::Status(503, "ServiceUnavailable"));
    }
    fake.close_watches();
    sleep(Duration::from_secs(5)).await;
    let CacheState::Failing { since, error } = cache.state() else { panic!("{:?}", cache.state()) };
    assert!(since < "1970-01-01T00:00:04Z".parse().unwrap(), "{since}");
    assert!(error.contains("503"), "{error}");
    assert!(cache.is_ready(), "what was known is still served");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(cache.state(), CacheState::Synced);
    assert_eq!(fake.count("list"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_how_long_to_wait_is_not_asked_before() {
    let fake = Fake::new();
    fake.fail("list", Fault::Throttled(20));
    fake.fail("watch", Fault::Throttled(7));
    let cache = started(&fake).await;
    let CacheState::Failing { error, .. } = cache.state() else { panic!("{:?}", cache.state()) };
    assert_eq!(error, "Too many requests, please try again later. (429 TooManyRequests)");
    // Asked at 0 s, 20 s and 27 s; two have passed.
    for (seconds, lists, watches) in [(17, 1, 0), (4, 2, 1), (3, 2, 1), (3, 2, 2)] {
        sleep(Duration::from_secs(seconds)).await;
        assert_eq!((fake.count("list"), fake.count("watch")), (lists, watches));
    }
    assert_eq!(cache.state(), CacheState::Synced);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_is_absent_until_it_comes() {
    let fake = Fake::new();
    let gadgets = "/apis/example.com/v1/gadgets";
    fake.set_absent(gadgets, true);
    let cache = Cache::new(Gadgets);
    start(&fake, Arc::clone(&cache) as Arc<dyn AnyCache>);
    let widgets = started(&fake).await;
    assert_eq!((cache.state(), cache.is_ready()), (CacheState::Absent, true));
    assert_eq!(widgets.state(), CacheState::Synced);
    sleep(Duration::from_secs(3600)).await;
    let probes = fake.log().iter().filter(|line| line.contains("gadgets")).count();
    assert!((12..=22).contains(&probes), "{probes}");
    assert_eq!(fake.count("list"), 2, "probes are watches");
    fake.set_absent(gadgets, false);
    fake.put(gadgets, json!({"metadata": {"name": "g", "namespace": "a"}}));
    sleep(Duration::from_secs(301)).await;
    assert_eq!((cache.state(), cache.len()), (CacheState::Synced, 1));
}

#[tokio::test(start_paused = true)]
async fn a_required_kind_that_is_missing_keeps_us_from_being_ready() {
    let fake = Fake::new();
    fake.set_absent(WIDGETS, true);
    let cache = started(&fake).await;
    assert_eq!((cache.state(), cache.is_ready()), (CacheState::Absent, false));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_missing_for_a_moment_keeps_its_objects_and_loses_them_when_it_stays_away() {
    let fake = Fake::new();
    fake.put(WIDGETS, widget("a", "x", 1));
    let cache = started(&fake).await;
    fake.set_absent(WIDGETS, true);
    fake.close_watches();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(cache.len(), 1);
    assert!(matches!(cache.state(), CacheState::Failing { .. }));
    sleep(Duration::from_secs(60)).await;
    assert_eq!((cache.len(), cache.state()), (0, CacheState::Absent));
}

#[tokio::test(start_paused = true)]
async fn labels_select_what_is_watched_and_what_our_own_writes_may_bring_in() {
    struct Ours;
    impl Watched for Ours {
        type Row = ();
        fn resource(&self) -> ApiResource {
            Widgets.resource()
        }
        fn selector(&self) -> Selector {
            Selector::from_iter([("app", "ours")])
        }
        fn project(&self, _object: &Value) -> Result<(), String> {
            Ok(())
        }
    }
    let fake = Fake::new();
    let cache = Cache::new(Ours);
    start(&fake, Arc::clone(&cache) as Arc<dyn AnyCache>);
    sleep(Duration::from_secs(1)).await;
    assert!(fake.log().iter().all(|line| line.contains("labelSelector=app%3Dours")), "{:?}", fake.log());
    let mut object = widget("a", "x", 1);
    object["metadata"]["resourceVersion"] = json!("100");
    cache.observe_write(&object);
    assert!(cache.is_empty());
    object["metadata"]["labels"] = json!({"app": "ours"});
    object["metadata"]["resourceVersion"] = json!("101");
    cache.observe_write(&object);
    assert_eq!(cache.len(), 1);
    object["metadata"]["labels"] = json!({});
    object["metadata"]["resourceVersion"] = json!("102");
    cache.observe_write(&object);
    assert!(cache.is_empty());
}

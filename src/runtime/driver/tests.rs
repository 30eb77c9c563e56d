//! The driver with caches, queue and writer against the fake API server, in virtual time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::AtomicUsize},
};

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    kube_io::{Ownership, Precondition, Writer, events},
    runtime::{
        cache::{CacheState, WriteObserver},
        clock::{VirtualClock, after},
        fake::{Fake, Fault},
    },
};

const WIDGETS: &str = "/apis/example.com/v1/widgets";
const GADGETS: &str = "/apis/example.com/v1/gadgets";

struct Kind(&'static str);

impl Watched for Kind {
    type Row = (i64, i64);

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", self.0))
    }

    fn project(&self, object: &Value) -> Result<(i64, i64), String> {
        let wanted = object["spec"]["wanted"].as_i64().ok_or_else(|| "spec.wanted is no integer".to_owned())?;
        Ok((wanted, object["spec"]["got"].as_i64().unwrap_or(0)))
    }
}

/// A reconciler out of a function.
struct By<F>(F);

impl<F, O> Reconciler for By<F>
where
    F: Fn(ObjectKey) -> O + Send + Sync + 'static,
    O: Future<Output = Result<Next, ReconcileError>> + Send,
{
    const KIND: &'static str = "Widget";

    fn reconcile(&self, key: ObjectKey) -> impl Future<Output = Result<Next, ReconcileError>> + Send {
        (self.0)(key)
    }
}

struct Stage {
    fake: Fake,
    cache: Arc<Cache<Kind>>,
    writer: Writer,
    metrics: Arc<Metrics>,
    clock: Arc<VirtualClock>,
    driver: Driver,
}

fn stage() -> Stage {
    let fake = Fake::new();
    let cache = Cache::new(Kind("Widget"));
    let writer = Writer::new(fake.client(), [Arc::clone(&cache) as Arc<dyn WriteObserver>]);
    let metrics = Arc::new(Metrics::default());
    let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
    let mut driver = Driver::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&metrics), Options::default());
    driver.watch(Arc::clone(&cache) as Arc<dyn AnyCache>);
    Stage { fake, cache, writer, metrics, clock, driver }
}

struct Running {
    activity: Activity,
    stop: Arc<Notify>,
    task: JoinHandle<Result<(), DriverError>>,
}

impl Stage {
    /// Adds a controller that runs `pass` over every widget that changes.
    fn controller<F, O>(&mut self, concurrency: usize, pass: F) -> Handle
    where
        F: Fn(ObjectKey) -> O + Send + Sync + 'static,
        O: Future<Output = Result<Next, ReconcileError>> + Send + 'static,
    {
        let limits = Limits { per_namespace: concurrency, ..Limits::with_concurrency(concurrency) };
        let needs = vec![Arc::clone(&self.cache) as Arc<dyn AnyCache>];
        let handle = self.driver.controller(By(pass), limits, needs);
        handle.on_change(&self.cache, |change| vec![change.key.clone()]);
        handle
    }

    fn run(self) -> Running {
        let activity = self.driver.activity();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let client = self.fake.client();
        let task = tokio::spawn(self.driver.run(client, async move { stopped.notified().await }));
        Running { activity, stop, task }
    }
}

fn widget(namespace: &str, name: &str, wanted: i64) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"namespace": namespace, "name": name}, "spec": {"wanted": wanted},
    })
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

/// One step of `got` towards `wanted` per pass.
async fn converge(cache: &Cache<Kind>, writer: &Writer, key: &ObjectKey) -> Result<Next, ReconcileError> {
    let Some(entry) = cache.get(key) else { return Ok(Next::AwaitChange) };
    let (wanted, got) = entry.row.clone().map_err(|error| ReconcileError::new("Undecodable", error))?;
    if wanted != got {
        let mut object = widget(&key.namespace, &key.name, wanted);
        object["spec"]["got"] = json!(got + (wanted - got).signum());
        writer.apply(object, Some(&Precondition::from(&*entry)), Ownership::Respect).await?;
    }
    Ok(Next::AwaitChange)
}

#[tokio::test(start_paused = true)]
async fn objects_converge_and_then_nothing_happens_for_a_day() {
    let mut stage = stage();
    let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
    stage.controller(3, move |key| {
        let (cache, writer) = (Arc::clone(&cache), writer.clone());
        async move { converge(&cache, &writer, &key).await }
    });
    for number in 0..20 {
        fake.put(WIDGETS, widget(["a", "b"][number % 2], &format!("w{number}"), 3));
    }
    let (cache, running) = (Arc::clone(&stage.cache), stage.run());
    seconds(60).await;
    assert!(cache.list_all().iter().all(|entry| entry.row == Ok((3, 3))));
    assert!(running.activity.is_idle() && running.activity.is_ready() && running.activity.is_alive());
    assert_eq!(running.activity.next_due(), None);
    assert_eq!(fake.count("patch"), 60, "no step twice, none for nothing");
    let before = fake.log().len();
    seconds(24 * 3600).await;
    assert!(fake.log()[before..].iter().all(|line| line.contains(" watch ")));
    assert!(running.activity.is_alive());
}

#[tokio::test(start_paused = true)]
async fn passes_overlap_up_to_the_bound_and_never_for_one_object() {
    let mut stage = stage();
    let (now, most) = (Arc::new(Mutex::new(BTreeMap::<ObjectKey, u32>::new())), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (Arc::clone(&now), Arc::clone(&most));
    let handle = stage.controller(3, move |key| {
        let (running, highest) = (Arc::clone(&running), Arc::clone(&highest));
        async move {
            {
                let mut running = running.lock().unwrap();
                let count = running.entry(key.clone()).or_default();
                *count += 1;
                assert_eq!(*count, 1, "two passes of {key}");
                highest.fetch_max(running.len(), Ordering::Relaxed);
            }
            seconds(1).await;
            running.lock().unwrap().remove(&key);
            Ok(Next::AwaitChange)
        }
    });
    let metrics = Arc::clone(&stage.metrics);
    for number in 0..10 {
        stage.fake.put(WIDGETS, widget("a", &format!("w{number}"), 0));
    }
    let _running = stage.run();
    for _ in 0..40 {
        sleep(Duration::from_millis(100)).await;
        handle.enqueue(ObjectKey::new("a", "w0"));
    }
    seconds(30).await;
    assert_eq!(most.load(Ordering::Relaxed), 3);
    assert_eq!((metrics.passes("Widget", "panic"), metrics.passes("Widget", "error")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_a_hanging_pass_is_one_objects_trouble() {
    let mut stage = stage();
    let passes = Arc::new(Mutex::new(BTreeMap::<String, Vec<Timestamp>>::new()));
    let (sink, clock) = (Arc::clone(&passes), Arc::clone(&stage.clock));
    stage.controller(2, move |key| {
        let now = clock.now();
        sink.lock().unwrap().entry(key.name.to_string()).or_default().push(now);
        async move {
            match &*key.name {
                "panics" => panic!("by order of the test"),
                "hangs" => std::future::pending().await,
                _ if now.as_second() < 1000 => Ok(Next::At(Timestamp::from_second(1000).unwrap())),
                _ => Ok(Next::AwaitChange),
            }
        }
    });
    for name in ["panics", "hangs", "works"] {
        stage.fake.put(WIDGETS, widget("a", name, 0));
    }
    let metrics = Arc::clone(&stage.metrics);
    let running = stage.run();
    seconds(1200).await;
    assert!(!running.task.is_finished());
    let passes = passes.lock().unwrap();
    let started = passes["panics"].iter().map(|time| time.as_second()).collect::<Vec<_>>();
    assert_eq!(started[..6], [0, 1, 3, 7, 15, 31]);
    assert_eq!(passes["works"].len(), 2, "at once, and at the time it asked for");
    assert!(metrics.passes("Widget", "panic") >= 9 && metrics.passes("Widget", "timeout") >= 3);
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_delays_the_others_by_under_a_second() {
    let mut stage = stage();
    let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
    stage.controller(1, move |key| {
        let (cache, writer) = (Arc::clone(&cache), writer.clone());
        async move { converge(&cache, &writer, &key).await }
    });
    let mut bad = widget("a", "bad", 0);
    bad["spec"]["wanted"] = json!({"not": "a number"});
    fake.put(WIDGETS, bad);
    let (cache, _running) = (Arc::clone(&stage.cache), stage.run());
    seconds(100).await;
    fake.put(WIDGETS, widget("a", "good", 1));
    sleep(Duration::from_millis(900)).await;
    assert_eq!(cache.get(&ObjectKey::new("a", "good")).unwrap().row, Ok((1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_controller_waits_for_its_caches_and_only_for_those() {
    let mut stage = stage();
    let gadgets = Cache::new(Kind("Gadget"));
    stage.driver.watch(Arc::clone(&gadgets) as Arc<dyn AnyCache>);
    stage.fake.set_absent(GADGETS, true);
    stage.fake.put(WIDGETS, widget("a", "x", 0));
    let count = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&count);
    stage.controller(1, move |_| {
        own.fetch_add(1, Ordering::Relaxed);
        async { Ok(Next::AwaitChange) }
    });
    let waiting = Arc::new(AtomicUsize::new(0));
    let other = Arc::clone(&waiting);
    let pass = move |_| {
        other.fetch_add(1, Ordering::Relaxed);
        async { Ok(Next::AwaitChange) }
    };
    let handle = stage.driver.controller(By(pass), Limits::default(), vec![gadgets as Arc<dyn AnyCache>]);
    handle.enqueue(ObjectKey::new("a", "g"));
    let fake = stage.fake.clone();
    let running = stage.run();
    seconds(60).await;
    assert_eq!((count.load(Ordering::Relaxed), waiting.load(Ordering::Relaxed)), (1, 0));
    assert!(!running.activity.is_ready() && !running.activity.is_idle() && running.activity.is_alive());
    fake.set_absent(GADGETS, false);
    seconds(301).await;
    assert_eq!(waiting.load(Ordering::Relaxed), 1);
    assert!(running.activity.is_ready() && running.activity.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_passes_end_and_takes_no_more_work() {
    let mut stage = stage();
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    stage.controller(1, move |_| {
        let count = Arc::clone(&count);
        async move {
            seconds(5).await;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Next::AwaitChange)
        }
    });
    for name in ["x", "y"] {
        stage.fake.put(WIDGETS, widget("a", name, 0));
    }
    let running = stage.run();
    seconds(1).await;
    running.stop.notify_one();
    running.task.await.unwrap().unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let mut stage = stage();
    stage.controller(1, |_| std::future::pending());
    stage.fake.put(WIDGETS, widget("a", "x", 0));
    let clock = Arc::clone(&stage.clock);
    let running = stage.run();
    seconds(1).await;
    running.stop.notify_one();
    running.task.await.unwrap().unwrap();
    assert_eq!(clock.now(), Timestamp::from_second(21).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_driver_sends_nothing_more() {
    let mut stage = stage();
    let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
    stage.controller(3, move |key| {
        let (cache, writer) = (Arc::clone(&cache), writer.clone());
        async move { converge(&cache, &writer, &key).await }
    });
    fake.put(WIDGETS, widget("a", "x", 1_000));
    let running = stage.run();
    seconds(1).await;
    running.task.abort();
    let _cancelled = running.task.await;
    let before = fake.log().len();
    seconds(3600).await;
    assert_eq!(fake.log().len(), before);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_passes_always_write_is_held_to_one_write_per_second() {
    let mut stage = stage();
    let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
    stage.controller(3, move |key| {
        let (cache, writer) = (Arc::clone(&cache), writer.clone());
        async move { converge(&cache, &writer, &key).await }
    });
    fake.put(WIDGETS, widget("a", "x", 1_000_000));
    let _running = stage.run();
    seconds(100).await;
    let writes = fake.count("patch");
    assert!((90..=101).contains(&writes), "{writes}");
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_writes_every_100_ms_does_not_keep_us_from_landing_ours() {
    let mut stage = stage();
    let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
    stage.controller(3, move |key| {
        let (cache, writer) = (Arc::clone(&cache), writer.clone());
        async move {
            // A slow decision: most often the rival comes first.
            let seen = cache.get(&key).map(|entry| Precondition::from(&*entry));
            sleep(Duration::from_millis(70)).await;
            let mut object = widget(&key.namespace, &key.name, 0);
            object["spec"]["got"] = json!(77);
            writer.apply(object, seen.as_ref(), Ownership::Respect).await?;
            Ok(Next::AwaitChange)
        }
    });
    fake.put(WIDGETS, widget("a", "x", 0));
    let (cache, _running) = (Arc::clone(&stage.cache), stage.run());
    let landed = || cache.get(&ObjectKey::new("a", "x")).is_some_and(|entry| entry.row == Ok((0, 77)));
    for rival in 0..300 {
        fake.put(WIDGETS, widget("a", "x", 0));
        sleep(Duration::from_millis(85 + rival % 20)).await;
        if landed() {
            return;
        }
    }
    panic!("30 seconds, and nothing of ours");
}

/// One virtual hour of 40 objects, 3 places, faults, a rival and Events; returns all requests with their times.
fn one_hour() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut stage = stage();
        let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
        let clock = Arc::clone(&stage.clock);
        let recorder = events::Recorder::new(fake.client(), Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&stage.metrics), "pod");
        stage.driver.background(recorder.clone().run());
        let busy = recorder.clone();
        stage.driver.busy_while(move || busy.is_busy());
        stage.controller(3, move |key| {
            let (cache, writer, clock, recorder) = (Arc::clone(&cache), writer.clone(), Arc::clone(&clock), recorder.clone());
            async move {
                let step = converge(&cache, &writer, &key).await;
                tell(&recorder, &key, step.is_ok());
                assert!(*key.name != *"w13", "this one always panics");
                step?;
                Ok(Next::At(after(clock.now(), Duration::from_secs(60 + 7 * key.name.len() as u64))))
            }
        });
        for number in 0..40_i64 {
            fake.put(WIDGETS, widget(["a", "b", "c"][usize::try_from(number).unwrap() % 3], &format!("w{number}"), number % 7));
        }
        let running = stage.run();
        for minute in 0..60 {
            disturb(&fake, minute);
            seconds(60).await;
        }
        running.stop.notify_one();
        running.task.await.unwrap().unwrap();
        fake.log()
    })
}

fn tell(recorder: &events::Recorder, key: &ObjectKey, good: bool) {
    recorder.publish(&events::Notice {
        regarding: events::Regarding {
            api_version: "example.com/v1".to_owned(),
            kind: "Widget".to_owned(),
            key: key.clone(),
            uid: key.to_string(),
        },
        severity: if good { events::Severity::Normal } else { events::Severity::Warning },
        reason: "Stepped",
        action: "Step",
        note: "one step".to_owned(),
        occasion: good.to_string(),
    });
}

fn disturb(fake: &Fake, minute: i64) {
    fake.put(WIDGETS, widget("b", "w1", minute));
    match minute % 4 {
        0 => fake.fail("patch", Fault::Status(503, "ServiceUnavailable")),
        1 => fake.fail("patch", Fault::LostAnswer),
        2 => fake.close_watches(),
        _ => fake.fail("watch", Fault::ErrorFrame(410)),
    }
}

fn hash(lines: &[String]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(lines.join("\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Set in the processes that the test below starts: they print their hash.
const PRINT_HASH: &str = "MODELWARD_TEST_PRINT_HASH";

#[test]
fn equal_runs_send_equal_requests_in_one_process_and_in_others() {
    let lines = one_hour();
    let own = hash(&lines);
    if std::env::var_os(PRINT_HASH).is_some() {
        println!("hash={own};");
        return;
    }
    assert!(lines.len() > 300, "{}", lines.len());
    for _ in 0..3 {
        assert_eq!(hash(&one_hour()), own);
    }
    for _ in 0..2 {
        let name = "runtime::driver::tests::equal_runs_send_equal_requests_in_one_process_and_in_others";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args([name, "--exact", "--nocapture"]).env(PRINT_HASH, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("hash={own};")), "{text}");
    }
}

#[test]
fn the_same_machinery_works_on_several_threads_in_real_time() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut stage = stage();
        let (cache, writer, fake) = (Arc::clone(&stage.cache), stage.writer.clone(), stage.fake.clone());
        stage.controller(8, move |key| {
            let (cache, writer) = (Arc::clone(&cache), writer.clone());
            async move { converge(&cache, &writer, &key).await }
        });
        for number in 0..100 {
            fake.put(WIDGETS, widget("a", &format!("w{number}"), 2));
        }
        let (cache, running) = (Arc::clone(&stage.cache), stage.run());
        for _ in 0..200 {
            sleep(Duration::from_millis(50)).await;
            let done = cache.list_all().iter().filter(|entry| entry.row == Ok((2, 2))).count();
            if done == 100 && running.activity.is_idle() {
                running.stop.notify_one();
                running.task.await.unwrap().unwrap();
                assert_eq!((fake.count("patch"), cache.state()), (200, CacheState::Synced));
                return;
            }
        }
        panic!("it did not converge within ten seconds");
    });
}

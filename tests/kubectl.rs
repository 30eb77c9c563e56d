//! Real kubectl against a served simulation: the proof that the HTTP surface is what real clients expect.
//!
//! Runs with each program that `MODELWARD_TEST_KUBECTL` names, separated by colons; `.ci/run` names 1.32 and 1.35. Without
//! it nothing is tried here, since `cargo test` needs nothing but cargo. Talks to loopback only.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use modelward::sim::listener::{Listener, Settings, Speed, kubeconfig};
use modelward::sim::routes::rbac::bootstrap;
use modelward::sim::simulation::Simulation;

/// Virtual time goes this much faster, so that rollouts take moments.
const SPEED: f64 = 20.0;

/// A served simulation and a kubectl that knows only it.
struct Kubectl {
    listener: Listener<Simulation>,
    home: PathBuf,
    program: String,
}

/// The programs to try.
fn programs() -> Vec<String> {
    let named = std::env::var("MODELWARD_TEST_KUBECTL").unwrap_or_default();
    named.split(':').filter(|program| !program.is_empty()).map(str::to_owned).collect()
}

/// What a command said.
struct Said {
    ok: bool,
    text: String,
}

impl Kubectl {
    async fn start(test: &str, program: &str) -> Self {
        let version = Path::new(program).file_name().unwrap().to_string_lossy().into_owned();
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{version}-{test}"));
        std::fs::create_dir_all(&home).unwrap();
        let settings = Settings { speed: Speed::Times(SPEED), head_start: Duration::from_secs(1_000_000), ..Settings::loopback() };
        let make = || Simulation::new(1, "2026-01-01T00:00:00Z".parse().unwrap());
        let listener = Listener::start(settings, make, |server, _| {
            server.with(|state| {
                state.front.roles = true;
                bootstrap(&mut state.world.cluster).unwrap();
            });
        });
        let listener = listener.await.unwrap();
        std::fs::write(home.join("config"), kubeconfig(listener.address())).unwrap();
        Self { listener, home, program: program.to_owned() }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn try_run(&self, command: &str) -> Said {
        let output = Command::new(&self.program)
            .args(command.split_whitespace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("KUBECONFIG", self.home.join("config"))
            .env("KUBE_EDITOR", "sed -i s/first/second/")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Said { ok: output.status.success(), text }
    }

    /// Output of a command that succeeds.
    fn run(&self, command: &str) -> String {
        let said = self.try_run(command);
        assert!(said.ok, "kubectl {command}\n{}", said.text);
        said.text
    }

    /// Output of a command that fails.
    fn fails(&self, command: &str) -> String {
        let said = self.try_run(command);
        assert!(!said.ok, "kubectl {command} succeeded\n{}", said.text);
        said.text
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: 'nginx:1', ports: [{containerPort: 80}]}
";

const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget, shortNames: [wd], categories: [all]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type==\"Ready\")].status'}
    schema:
      openAPIV3Schema:
        type: object
        description: A widget.
        properties:
          spec:
            type: object
            properties:
              replicas: {type: integer, default: 1, maximum: 5, description: How many.}
              note: {type: string}
          status:
            type: object
            properties:
              replicas: {type: integer}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
";

const WIDGET: &str = "
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
spec: {replicas: 3, note: first}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_applied_rolled_out_changed_and_deleted() {
    for program in programs() {
        deployment(&Kubectl::start("deployment", &program).await);
    }
}

fn deployment(kubectl: &Kubectl) {
    let file = kubectl.file("web.yaml", DEPLOYMENT);
    let changed = kubectl.file("web2.yaml", &DEPLOYMENT.replace("nginx:1", "nginx:2"));
    assert!(kubectl.run(&format!("apply -f {file}")).contains("deployment.apps/web created"));
    kubectl.run("rollout status deploy/web --timeout=60s");
    assert!(kubectl.run("get deploy web").contains("2/2"));
    assert!(kubectl.run("get pods -o wide").contains("Running"));
    assert!(kubectl.fails(&format!("diff -f {changed}")).contains("+      - image: nginx:2"));
    assert!(kubectl.run(&format!("apply -f {changed}")).contains("configured"));
    assert!(kubectl.run(&format!("apply -f {changed}")).contains("unchanged"));
    kubectl.run("rollout status deploy/web --timeout=60s");
    assert!(kubectl.fails(&format!("apply --server-side --field-manager=other -f {file}")).contains("conflict"));
    assert!(kubectl.run(&format!("apply --server-side --field-manager=other --force-conflicts -f {file}")).contains("serverside-applied"));
    kubectl.run("rollout status deploy/web --timeout=60s");
    assert!(kubectl.run("rollout history deploy/web").contains("REVISION"));
    kubectl.run("rollout undo deploy/web");
    kubectl.run("rollout status deploy/web --timeout=60s");
    kubectl.run("set image deploy/web c=nginx:3");
    kubectl.run("rollout restart deploy/web");
    kubectl.run("scale deploy/web --replicas=3");
    kubectl.run("scale deploy/web --current-replicas=3 --replicas=4");
    kubectl.run("wait --for=condition=Available deploy/web --timeout=60s");
    assert!(kubectl.run("describe deploy web").contains("ScalingReplicaSet"));
    assert!(kubectl.run("events").contains("SuccessfulCreate"));
    assert!(kubectl.run("logs deploy/web").contains("simulated container c"));
    kubectl.run("expose deploy web --port=80");
    assert!(kubectl.run("get svc,endpointslices").contains("80/TCP"));
    assert!(kubectl.run("delete deploy web --cascade=foreground --timeout=60s").contains("deleted"));
    assert!(kubectl.fails("get deploy web").contains("NotFound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_resource_is_explained_validated_patched_and_watched() {
    for program in programs() {
        custom(&Kubectl::start("custom", &program).await);
    }
}

fn custom(kubectl: &Kubectl) {
    let (crd, widget) = (kubectl.file("crd.yaml", CRD), kubectl.file("widget.yaml", WIDGET));
    kubectl.run(&format!("apply -f {crd}"));
    kubectl.run("wait --for=condition=Established crd/widgets.example.com --timeout=60s");
    assert!(kubectl.run(&format!("apply -f {widget}")).contains("widget.example.com/w created"));
    assert!(kubectl.run("get wd").contains("REPLICAS   READY"));
    assert!(kubectl.run("explain widget.spec.replicas").contains("How many."));
    let wrong = kubectl.file("wrong.yaml", &WIDGET.replace("3", "9"));
    assert!(kubectl.fails(&format!("apply -f {wrong}")).contains("should be less than or equal to 5"));
    let unknown = kubectl.file("unknown.yaml", &WIDGET.replace("note", "not"));
    assert!(kubectl.fails(&format!("apply -f {unknown}")).contains("unknown field \"spec.not\""));
    assert!(kubectl.run("edit widget w").contains("edited"));
    assert_eq!(kubectl.run("get widget w -o jsonpath={.spec.note}"), "second");
    kubectl.run("scale widget w --replicas=2");
    kubectl.run(r#"patch widget w --type=merge --subresource=status -p {"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#);
    kubectl.run("wait --for=condition=Ready widget/w --timeout=10s");
    assert!(kubectl.fails(r#"patch widget w -p {"spec":{"note":"x"}}"#).contains("not supported"));
    kubectl.run("label widget w tier=front");
    kubectl.run("annotate widget w note=x");
    assert!(kubectl.run("get widget w -o wide --show-labels").contains("tier=front"));
    assert!(kubectl.run("describe widget w").contains("Replicas:  2"));
    assert!(kubectl.run("get all").contains("widget.example.com/w"));
    // A watch whose end its own client asks for.
    let watched = kubectl.try_run("get widgets -w --request-timeout=1s").text;
    assert!(watched.contains("True"), "{watched}");
    kubectl.run("delete widget w --timeout=10s");
    kubectl.run("delete crd widgets.example.com --timeout=30s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_decide_what_somebody_else_may() {
    for program in programs() {
        roles(&Kubectl::start("roles", &program).await);
    }
}

fn roles(kubectl: &Kubectl) {
    assert!(kubectl.run("auth can-i * *").contains("yes"));
    assert!(kubectl.fails("auth can-i list pods --as bob").contains("no"));
    assert!(kubectl.fails("get pods --as bob").contains("User \"bob\" cannot list resource \"pods\""));
    kubectl.run("create role reader --verb=get,list --resource=pods,pods/log,deployments.apps/scale");
    kubectl.run("create rolebinding reader --role=reader --user=bob --serviceaccount=default:default");
    for asked in ["list pods --as bob", "get pods --subresource=log --as system:serviceaccount:default:default"] {
        assert!(kubectl.run(&format!("auth can-i {asked}")).contains("yes"), "{asked}");
    }
    for asked in
        ["list pods -n kube-public --as bob", "list secrets --as bob", "get pods --subresource=exec --as bob", "get /metrics --as bob"]
    {
        assert!(kubectl.fails(&format!("auth can-i {asked}")).contains("no"), "{asked}");
    }
    assert!(kubectl.run("auth can-i --list --as bob").contains("deployments.apps/scale"));
    assert!(kubectl.run("auth whoami --as system:serviceaccount:a:b").contains("system:serviceaccounts:a"));
    // It sends no token over plain HTTP: it stays who it is.
    let token = kubectl.run("create token default");
    assert!(kubectl.run(&format!("auth whoami --token={}", token.trim())).contains("kubernetes-admin"));
    kubectl.run("create clusterrolebinding editor --clusterrole=edit --user=eve");
    kubectl.run("wait --for=jsonpath={.rules[0].verbs} clusterrole/edit --timeout=10s");
    kubectl.run("run probe --image=x --as eve");
    let more = kubectl.fails("create rolebinding more --clusterrole=cluster-admin --user=eve --as eve");
    assert!(more.contains("cannot create resource \"rolebindings\""), "{more}");
    security(kubectl);
}

fn security(kubectl: &Kubectl) {
    kubectl.run("create namespace hard");
    assert!(kubectl.fails("label namespace hard pod-security.kubernetes.io/enforce=hard").contains("must be one of privileged"));
    kubectl.run("label namespace hard pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/warn=baseline");
    assert!(kubectl.fails("run probe -n hard --image=x").contains("violates PodSecurity \"restricted:latest\""));
    let file = kubectl.file("host.yaml", &DEPLOYMENT.replace("    spec:\n", "    spec:\n      hostPID: true\n"));
    let warned = kubectl.run(&format!("apply -n hard -f {file}"));
    assert!(warned.contains("Warning: would violate PodSecurity \"baseline:latest\": host namespaces (hostPID=true)"), "{warned}");
    let stricter = kubectl.run("label namespace default pod-security.kubernetes.io/enforce=restricted");
    assert!(stricter.contains("existing pods in namespace \"default\" violate"), "{stricter}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyday_commands_work() {
    for program in programs() {
        everyday(&Kubectl::start("everyday", &program).await).await;
    }
}

async fn everyday(kubectl: &Kubectl) {
    assert!(kubectl.run("version").contains("Server Version: v1.35.4"));
    kubectl.run("create namespace demo");
    kubectl.run("create configmap cm -n demo --from-literal=a=1");
    kubectl.run("create secret generic s -n demo --from-literal=k=v");
    kubectl.run("create deployment d -n demo --image=x --dry-run=server -o yaml");
    kubectl.run("create serviceaccount bot -n demo");
    kubectl.run("create role r -n demo --verb=get --resource=pods");
    kubectl.run("create rolebinding rb -n demo --role=r --user=bob");
    assert!(kubectl.run("get rolebinding -n demo -o wide").contains("bob"));
    assert!(kubectl.run("get configmap -A").contains("cm"));
    assert_eq!(kubectl.run("auth can-i create pods").trim(), "yes");
    assert!(kubectl.run("auth whoami").contains("kubernetes-admin"));
    assert!(kubectl.run("auth whoami --as=bob").contains("bob"));
    assert!(kubectl.run("auth can-i --list").contains("*.*"));
    assert!(kubectl.run("api-resources --api-group=apps").contains("deployments"));
    assert!(kubectl.run("api-versions").contains("apps/v1"));
    assert!(kubectl.run("get nodes -o wide").contains("Ready"));
    assert!(kubectl.run("get --raw /readyz?verbose").contains("check passed"));
    assert!(kubectl.run("wait --for=jsonpath={.status.phase}=Active ns/demo --timeout=5s").contains("condition met"));
    assert!(kubectl.run("delete namespace demo --timeout=60s").contains("deleted"));
    assert!(kubectl.fails("get namespace demo").contains("NotFound"));
    let requests = kubectl.listener.with(|state| state.front.request_count()).await.unwrap();
    assert!(requests > 20, "{requests}");
}

const AUTOSCALER: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autoscaler_scales_and_top_shows_what_it_sees() {
    for program in programs() {
        autoscaler(&Kubectl::start("autoscaler", &program).await);
    }
}

fn autoscaler(kubectl: &Kubectl) {
    let asking = DEPLOYMENT.replace("ports:", "resources: {requests: {cpu: 100m}}, ports:");
    kubectl.run(&format!("apply -f {}", kubectl.file("web.yaml", &asking)));
    assert!(kubectl.run(&format!("apply -f {}", kubectl.file("hpa.yaml", AUTOSCALER))).contains("created"));
    assert!(kubectl.run("wait --for=jsonpath={.status.desiredReplicas}=3 hpa/web --timeout=60s").contains("condition met"));
    kubectl.run("rollout status deploy/web --timeout=60s");
    assert!(kubectl.run("wait --for=condition=ScalingActive hpa/web --timeout=60s").contains("condition met"));
    assert!(kubectl.run("get hpa web").contains("cpu: 5%/50%"), "{}", kubectl.run("get hpa web"));
    let described = kubectl.run("describe hpa web");
    assert!(described.contains("SuccessfulRescale") && described.contains("New size: 3"), "{described}");
    let top = kubectl.run("top pods --containers");
    assert!(top.contains("5m") && top.contains("64Mi"), "{top}");
    assert!(kubectl.run("top nodes").contains("node-1"), "{}", kubectl.run("top nodes"));
    assert!(kubectl.fails("top pod gone").contains("NotFound"));
    assert!(kubectl.run("api-versions").contains("external.metrics.k8s.io/v1beta1"));
    assert!(kubectl.run("api-resources --api-group=metrics.k8s.io").contains("PodMetrics"));
    let raw = kubectl.fails("get --raw /apis/external.metrics.k8s.io/v1beta1/namespaces/default/depth");
    assert!(raw.contains("could not find the metric depth"), "{raw}");
}

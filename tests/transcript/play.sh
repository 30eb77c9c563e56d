# What the new user does, and the words around it. Read by ./run.
# shellcheck shell=bash disable=SC2016,SC2154

say <<'TEXT'
# kubectl on a simulated cluster

<!-- Written by tests/transcript/run; CI runs it again and fails when anything here has changed. Do not edit. -->

Everything on this page happened: a script played it with kubectl against `modelward cluster`. Ages, times, uids and the ends of pod names
are replaced, because they differ from run to run; hashes do not differ. It takes a terminal for the cluster

```console
$ cargo run -- cluster --speed 10
export KUBECONFIG=/tmp/modelward-4711-40123.kubeconfig
```

and one for kubectl, in the folder of this repository, with that `KUBECONFIG`. Ten virtual seconds pass in each real one. The cluster has
three nodes with eight GPUs each; [simulated-cluster.md](simulated-cluster.md) says what else is in it, and what is not.

## The first version

A namespace, a Model that has two versions, and a ModelDeployment that runs the older one, on four pods with a GPU each:
TEXT

shown 'kubectl create namespace demo' \
  'kubectl config set-context --current --namespace=demo' \
  "kubectl apply -f $example/model.yaml -f $example/v2.0.3.yaml" \
  'kubectl wait --for=condition=Ready modeldeployment/chat --timeout=2m'
until_is "kubectl get mdl chat -o jsonpath='{.status.productionVersion}'" 2.0.3

say <<'TEXT'
What is there now. `mdep` and `mdl` are the short names:
TEXT

shown 'kubectl get mdl,mdep' 'kubectl get deployments,pods,services'

say <<'TEXT'
What a field means, kubectl explains:
TEXT

shown 'kubectl explain modeldeployment.spec.strategy.canary'

say <<'TEXT'
## The next version

`v2.1.0.yaml` differs from `v2.0.3.yaml` in `spec.version` only:
TEXT

in_shell 'exec kubectl get mdep chat --watch' >"$work/watched" 2>&1 &
watch=$!
until_is "grep -c Active '$work/watched' || true" 1
until_is "kubectl diff -f $example/v2.1.0.yaml | grep '^[+-]  version' || true" $'-  version: 2.0.3\n+  version: 2.1.0'
shown "kubectl apply -f $example/v2.1.0.yaml" \
  "kubectl wait --for=jsonpath='{.status.phase}'=Holding mdep/chat --timeout=2m"

say <<'TEXT'
One pod of the new version is ready and gets about a tenth of the requests; the four old ones are all still there. It stays so for ten
minutes, the first step of the strategy:
TEXT

shown 'kubectl get mdep chat -o wide' 'kubectl get deployments,pods'

say <<'TEXT'
Enough seen: a command ends the hold. Commands are an annotation; what follows the colon tells one command from the next.
TEXT

shown 'kubectl annotate mdep chat modelward.dev/command=promote:1' \
  "kubectl wait --for=jsonpath='{.status.candidate.weight}'=50 mdep/chat --timeout=2m" \
  "kubectl wait --for=jsonpath='{.status.phase}'=Holding mdep/chat --timeout=2m"

say <<'TEXT'
Half of the requests. Status says in words what was decided, why, and what comes next:
TEXT

shown 'kubectl describe mdep chat --show-events=false'

say <<'TEXT'
And the rest:
TEXT

shown 'kubectl annotate --overwrite mdep chat modelward.dev/command=promote:2' \
  'kubectl wait --for=condition=Ready mdep/chat --timeout=2m'
until_is 'kubectl get deployments,pods -o name | wc -l' 5

say <<'TEXT'
Requests that the old pods still have may end (`traffic.drain`, 30 seconds); then the old pods go:
TEXT

shown 'kubectl get mdep,deployments,pods'

say <<'TEXT'
A third terminal with `kubectl get mdep chat --watch` has seen all of this (rows in which nothing but the age is new are left out):
TEXT

until_is "tail -n 1 '$work/watched' | grep -c 'True .* 2.1.0 ' || true" 1
kill "$watch"
wait "$watch" || true
watch=''
{
  echo '```console'
  echo '$ kubectl get mdep chat --watch'
  sed -E -f "$here/normalise.sed" <"$work/watched" | awk -v watched=1 -f "$here/normalise.awk"
  printf '```\n\n'
} >>"$said"

say <<'TEXT'
## Scale

`replicas` belongs to you, by `kubectl scale` or in the file:
TEXT

shown 'kubectl scale mdep chat --replicas=6' \
  "kubectl wait --for=jsonpath='{.status.stable.ready}'=6 mdep/chat --timeout=2m" \
  'kubectl wait --for=condition=Ready mdep/chat --timeout=2m' \
  'kubectl get mdep chat'

say <<'TEXT'
## A mistake

A change that is refused changes nothing, and the message names the field:
TEXT

refused "kubectl patch mdep chat --type=merge -p '{\"spec\": {\"strategy\": {\"canary\": {\"steps\": [{\"weight\": 101}]}}}}'"

say <<'TEXT'
## What happened

Every decision is an event:
TEXT

shown 'kubectl events --for modeldeployment/chat'

say <<'TEXT'
## Delete

Everything that was made for a ModelDeployment goes with it:
TEXT

shown "kubectl delete -f $example/v2.1.0.yaml -f $example/model.yaml"
until_is 'kubectl get pods -o name' ''

say <<'TEXT'
A moment later nothing is left of it:
TEXT

shown 'kubectl get all' \
  'kubectl get "$(kubectl api-resources --namespaced --verbs=list -o name | grep -v -e ^events -e '^endpoints$' | paste -sd,)" -o name'

say <<'TEXT'
These two are in every namespace. With the namespace they go too:
TEXT

shown 'kubectl delete namespace demo' 'kubectl get namespaces' 'kubectl get all -A'

# Nothing is left behind, in the cluster as a whole.
kinds='kubectl api-resources --namespaced --verbs=list -o name | paste -sd,'
until_is "kubectl get \"\$($kinds)\" -A -o jsonpath='{range .items[?(@.metadata.namespace==\"demo\")]}{.kind}/{.metadata.name} {end}'" ''
until_is "kubectl get mdl,mdep,controllerrevisions,deployments,replicasets,pods,services,endpointslices,pdb -A -o name" ''

say <<'TEXT'
Ctrl-C ends the cluster; its kubeconfig goes with it.
TEXT

// Only a place to fetch: the CRDs of the Gateway API lie in this module's
// config/crd folder. Nothing is built from it, so `go mod tidy` must not be
// run here: it would drop the requirement.
module modelward.dev/tests/control-plane/gateway-api

go 1.25.0

require sigs.k8s.io/gateway-api v1.6.3

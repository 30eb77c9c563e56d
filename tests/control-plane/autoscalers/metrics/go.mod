module modelward.dev/tests/control-plane/autoscalers/metrics

go 1.26.7

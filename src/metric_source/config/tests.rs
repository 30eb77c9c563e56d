use super::*;
use crate::domain::analysis::profile::BuiltIn;

const HEAD: &str = "apiVersion: config.modelward.dev/v1alpha1\nkind: OperatorConfiguration\n";

fn parse(rest: &str) -> Result<OperatorConfiguration, ConfigurationError> {
    OperatorConfiguration::parse(&format!("{HEAD}{rest}"))
}

/// Line and message of the only mistake.
fn mistake(rest: &str) -> (u64, String) {
    let ConfigurationError(mut mistakes) = parse(rest).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let mistake = mistakes.remove(0);
    (mistake.line, mistake.message)
}

fn with_url(url: &str) -> Result<OperatorConfiguration, ConfigurationError> {
    parse(&format!("metricProviders:\n- {{name: a, type: Prometheus, url: '{url}'}}\n"))
}

#[test]
fn a_whole_file_is_read() {
    let configuration = parse(
        "metricProviders:
- name: prometheus
  type: Prometheus
  url: https://prometheus.monitoring.svc:9090/prefix/
  bearerTokenFile: /var/run/secrets/token
  caFile: /etc/ca.crt
  timeout: 5s
  default: true
- {name: thanos, type: Prometheus, url: 'http://10.0.0.7:10902'}
",
    )
    .unwrap();
    let [first, second] = configuration.metric_providers.as_slice() else { panic!("{configuration:?}") };
    assert_eq!(first.url, Uri::from_static("https://prometheus.monitoring.svc:9090/prefix/"));
    assert_eq!((first.timeout, second.timeout), (Duration::from_secs(5), Duration::from_secs(10)));
    assert_eq!(first.bearer_token_file, Some(PathBuf::from("/var/run/secrets/token")));
    assert_eq!(first.ca_file, Some(PathBuf::from("/etc/ca.crt")));
    assert_eq!(configuration.default_provider(), Some(first));
    assert_eq!(configuration.metric_profiles, Profiles::built_in());
}

#[test]
fn the_only_provider_is_the_default_and_of_several_none_is_by_itself() {
    assert_eq!(with_url("http://a").unwrap().default_provider().map(|provider| provider.name.as_str()), Some("a"));
    let two = parse("metricProviders:\n- {name: a, type: Prometheus, url: 'http://a'}\n- {name: b, type: Prometheus, url: 'http://b'}\n");
    assert_eq!(two.unwrap().default_provider(), None);
    assert_eq!(parse("").unwrap(), OperatorConfiguration::without_file());
}

#[test]
fn unknown_fields_and_wrong_kinds_are_refused_with_their_line() {
    let (line, message) = mistake("metricProvider: []\n");
    assert_eq!(line, 3);
    assert!(message.contains("metricProvider"), "{message}");
    let (line, message) = mistake("metricProviders:\n- {name: a, type: Prometheus, url: 'http://a',\n   headers: {X-Scope: b}}\n");
    assert_eq!(line, 5);
    assert!(message.contains("headers"), "{message}");
    let (line, message) = mistake("metricProviders:\n- {name: a, type: Datadog, url: 'http://a'}\n");
    assert_eq!(line, 4);
    assert!(message.contains("Datadog"), "{message}");
    let other = OperatorConfiguration::parse("apiVersion: v1\nkind: ConfigMap\n").unwrap_err();
    assert_eq!(other.0.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [1, 2]);
    assert!(OperatorConfiguration::parse("").is_err());
    assert!(OperatorConfiguration::parse("kind: [").is_err());
}

#[test]
fn names_are_unique_and_at_most_one_provider_is_the_default() {
    let (line, message) =
        mistake("metricProviders:\n- {name: a, type: Prometheus, url: 'http://a'}\n- {name: a, type: Prometheus, url: 'http://b'}\n");
    assert_eq!((line, message.as_str()), (5, "there is a metric provider \"a\" already"));
    let two = "metricProviders:\n- {name: a, type: Prometheus, url: 'http://a', default: true}\n- name: b\n  type: Prometheus\n  url: http://b\n  default: true\n";
    let (line, message) = mistake(two);
    assert_eq!((line, message.as_str()), (8, "\"a\" is the default already: only one can be"));
    let (line, _) = mistake("metricProviders:\n- {name: A_b, type: Prometheus, url: 'http://a'}\n");
    assert_eq!(line, 4);
}

#[test]
fn urls_that_are_more_or_less_than_an_address_are_refused() {
    for url in ["http://prometheus:9090", "https://prometheus/", "http://[fd00::1]:9090/a/b", "http://127.0.0.1:9090", "http://localhost"] {
        assert!(with_url(url).is_ok(), "{url}");
    }
    let wrong = [
        "",
        "prometheus:9090",
        "prometheus.monitoring.svc",
        "/api",
        "ftp://prometheus",
        "file:///etc/passwd",
        "http://",
        "http://:9090",
        "http://user@prometheus",
        "http://user:secret@prometheus",
        "http://prometheus?a=b",
        "http://prometheus#a",
        "http://prometheus:99999",
        "http://prometheus:0",
        "http://a b",
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]",
        "http://[fe80::1]",
        "http://0.0.0.0:9090",
    ];
    for url in wrong {
        let error = with_url(url).err().unwrap_or_else(|| panic!("{url} is taken"));
        assert_eq!(error.0.first().map(|mistake| mistake.line), Some(4), "{url}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn secrets_do_not_travel_in_the_clear_and_paths_do_not_depend_on_the_working_directory() {
    let entry = |more: &str| parse(&format!("metricProviders:\n- name: a\n  type: Prometheus\n{more}"));
    assert!(entry("  url: http://a\n  bearerTokenFile: /t\n").is_err());
    assert!(entry("  url: http://a\n  caFile: /t\n").is_err());
    assert!(entry("  url: https://a\n  caFile: ca.crt\n").is_err());
    assert!(entry("  url: http://127.0.0.1\n  bearerTokenFile: /t\n").is_ok());
    assert!(entry("  url: https://a\n  bearerTokenFile: /t\n  caFile: /c\n").is_ok());
    for timeout in ["0s", "3m", "10", "soon"] {
        assert!(entry(&format!("  url: https://a\n  timeout: {timeout}\n")).is_err(), "{timeout}");
    }
}

#[test]
fn profiles_of_the_file_stand_beside_those_that_are_built_in() {
    let text = r#"metricProfiles:
- name: tgi
  metrics:
  - names: [errorRate, successRate]
    failed: ['tgi_request_failure{namespace="{{namespace}}",pod=~"{{pods}}"}']
    total: ['tgi_request_count{namespace="{{namespace}}",pod=~"{{pods}}"}']
  - names: [latencyP95]
    histogram: 'tgi_request_duration_bucket{namespace="{{namespace}}",pod=~"{{pods}}"}'
    unit: Seconds
  - names: [throughput]
    counter: ['tgi_request_count{namespace="{{namespace}}",pod=~"{{pods}}"}']
  - names: [queueDepth]
    gauge: 'tgi_queue_size{namespace="{{namespace}}",pod=~"{{pods}}"}'
"#;
    let profiles = parse(text).unwrap().metric_profiles;
    for metric in [BuiltIn::ErrorRate, BuiltIn::SuccessRate, BuiltIn::LatencyP95, BuiltIn::Throughput, BuiltIn::QueueDepth] {
        assert!(profiles.measure("tgi", metric).is_ok(), "{metric}");
    }
    assert!(profiles.measure("vllm", BuiltIn::LatencyP95).is_ok());
}

#[test]
fn mistakes_in_profiles_are_all_told_with_their_places() {
    let text = r#"metricProfiles:
- name: vllm
  metrics: []
- name: own
  metrics:
  - names: [errorRates]
    failed: [x]
    total: [x]
  - names: [latencyP95]
    histogram: x
  - names: [throughput, throughput]
    counter: [x]
  - names: [queueDepth]
    gauge: 'x{pod="{{pod}}"}'
"#;
    let ConfigurationError(mistakes) = parse(text).unwrap_err();
    let lines: Vec<u64> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [4, 8, 11, 13, 15], "{mistakes:?}");
    assert!(mistakes[4].message.contains("{{pod}}") && mistakes[4].message.contains("{{pods}}"), "{mistakes:?}");
}

#[test]
fn the_file_of_the_documentation_is_read() {
    let page = include_str!("../../../docs/metrics.md");
    let text = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let configuration = OperatorConfiguration::parse(text).unwrap();
    assert_eq!(configuration.default_provider().unwrap().name, "thanos");
    let measures = configuration.metric_profiles.iter().find(|profile| profile.name == "tgi").unwrap().measures.len();
    assert_eq!(measures, 7);
}

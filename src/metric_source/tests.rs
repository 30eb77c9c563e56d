use super::scripted::{Scripted, one};
use super::*;

fn at() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

#[tokio::test]
async fn a_script_answers_in_order_then_is_unavailable_and_remembers_what_it_was_asked() {
    let source = Scripted::sequence([|at| Ok(one(at, 1.0)), |_| Err(SourceError::Refused("no".to_owned()))]);
    assert_eq!(source.query("a", at()).await, Ok(one(at(), 1.0)));
    assert_eq!(source.query("b", at()).await.unwrap_err().reason(), "Refused");
    assert_eq!(source.query("c", at()).await.unwrap_err().reason(), "Unavailable");
    let asked = source.asked().into_iter().map(|asked| asked.query).collect::<Vec<_>>();
    assert_eq!(asked, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_function_answers_by_query_and_time() {
    let source = Scripted::function(|query, at| Ok(one(at, if query == "up" { 1.0 } else { 0.0 })));
    assert_eq!(source.query("up", at()).await, Ok(one(at(), 1.0)));
    assert_eq!(source.query("down", at()).await, Ok(one(at(), 0.0)));
}

#[test]
fn sources_are_found_by_name_and_an_unknown_one_is_refused_with_those_that_there_are() {
    let sources = Sources::one("prometheus", Arc::new(Scripted::function(|_, at| Ok(one(at, 0.0)))));
    assert!(sources.get(None).is_ok() && sources.get(Some("prometheus")).is_ok());
    let error = sources.get(Some("thanos")).err().unwrap().to_string();
    assert_eq!(error, "there is no metric provider \"thanos\"; known are prometheus");
    let error = Sources::none().get(None).err().unwrap().to_string();
    assert_eq!(error, "no metric provider is the default; the operator's configuration names none");
}

#[tokio::test]
async fn sources_of_a_configuration_have_its_names_and_its_default() {
    let text = "apiVersion: config.modelward.dev/v1alpha1\nkind: OperatorConfiguration\nmetricProviders:\n\
                - {name: one, type: Prometheus, url: 'http://a:9090'}\n- {name: two, type: Prometheus, url: 'http://b:9090', default: true}\n";
    let sources = Sources::from_configuration(&config::OperatorConfiguration::parse(text).unwrap(), &BTreeSet::new()).unwrap();
    assert!(Arc::ptr_eq(sources.get(None).unwrap(), sources.get(Some("two")).unwrap()));
    assert!(sources.get(Some("one")).is_ok());
}

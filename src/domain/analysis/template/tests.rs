use proptest::prelude::*;

use super::*;

fn parameters(text: &str) -> Parameters {
    let text = text.to_owned();
    Parameters {
        namespace: text.clone(),
        deployment: text.clone(),
        revision: text.clone(),
        service: text.clone(),
        model: text.clone(),
        version: text,
        window: Duration::from_secs(30),
    }
}

fn render(template: &str, text: &str) -> Result<String, RenderError> {
    Template::parse(template).unwrap().render(&parameters(text))
}

fn mistake(template: &str) -> (usize, usize, TemplateErrorKind) {
    let error = Template::parse(template).unwrap_err();
    (error.line, error.column, error.kind)
}

/// The value of a PromQL string that begins at `text`, and what follows it; written from Prometheus' grammar, not from our escapes.
fn unquote(text: &str) -> (String, &str) {
    let mut letters = text.char_indices();
    let (_, quote) = letters.next().unwrap();
    let mut value = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return (value, &text[at + quote.len_utf8()..]),
            '\\' if quote != '`' => {
                let (_, escaped) = letters.next().unwrap();
                assert!(escaped == '\\' || escaped == quote, "\\{escaped} is no escape that we write");
                value.push(escaped);
            }
            '\n' if quote != '`' => panic!("a line break in a string"),
            _ => value.push(letter),
        }
    }
    panic!("the string does not end: {text}");
}

/// The text that a regular expression without any operator stands for; panics on an operator.
fn literal_of(regex: &str) -> String {
    let mut letters = regex.chars();
    let mut value = String::new();
    while let Some(letter) = letters.next() {
        assert!(!".+*?()|[]{}^$".contains(letter), "an operator in {regex}");
        value.push(if letter == '\\' { letters.next().unwrap() } else { letter });
    }
    value
}

#[test]
fn each_placeholder_gets_its_value_in_its_form() {
    let template = r#"sum(x{namespace="{{namespace}}",pod=~"{{pods}}",v=~'{{ version }}'}[{{window}}] offset {{window}})"#;
    let mut values = parameters("a");
    values.revision = "llama.x-6fd8".to_owned();
    values.version = "1.2.0".to_owned();
    let query = Template::parse(template).unwrap().render(&values).unwrap();
    assert_eq!(query, r#"sum(x{namespace="a",pod=~"llama\\.x-6fd8-.+",v=~'1\\.2\\.0'}[30s] offset 30s)"#);
}

#[test]
fn a_window_is_written_in_whole_units_and_never_as_zero() {
    let text = |window| Template::parse("x[{{window}}]").unwrap().render(&Parameters { window, ..parameters("a") });
    assert_eq!(text(Duration::from_secs(90)).unwrap(), "x[90s]");
    assert_eq!(text(Duration::from_millis(1500)).unwrap(), "x[1500ms]");
    for wrong in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        assert_eq!(text(wrong).unwrap_err().placeholder, Placeholder::Window, "{wrong:?}");
    }
}

#[test]
fn an_unknown_placeholder_is_named_with_its_place_and_the_known_ones() {
    let error = Template::parse("sum(\n  x{a=\"{{podz}}\"})").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    let text = error.to_string();
    assert!(text.contains("{{podz}}") && Placeholder::ALL.iter().all(|known| text.contains(&known.to_string())), "{text}");
}

#[test]
fn a_placeholder_in_the_wrong_place_is_refused_when_it_is_read() {
    use TemplateErrorKind as Kind;
    assert_eq!(mistake("x{{namespace}}"), (1, 2, Kind::OutsideOfString(Placeholder::Namespace)));
    assert_eq!(mistake("x{a=\"{{pods}}\"}"), (1, 6, Kind::NotBehindRegexMatcher(Placeholder::Pods)));
    assert_eq!(mistake("x{a=~{{pods}}}"), (1, 6, Kind::NotBehindRegexMatcher(Placeholder::Pods)));
    assert_eq!(mistake("x{a=\"{{window}}\"}"), (1, 6, Kind::InsideOfString(Placeholder::Window)));
    assert_eq!(mistake("x # {{namespace}}"), (1, 5, Kind::InComment(Placeholder::Namespace)));
    assert_eq!(mistake("x{a=\"{{namespace}"), (1, 6, Kind::OpenPlaceholder));
    assert_eq!(mistake("x{a=\"\\x{{namespace}}\"}"), (1, 6, Kind::ShortEscape));
    assert_eq!(mistake("x{a=\"b\n\"}"), (1, 5, Kind::OpenString));
    assert_eq!(mistake("x{a='b\\'}"), (1, 5, Kind::OpenString));
    assert_eq!(mistake("x{a=\"\\"), (1, 5, Kind::OpenString));
    assert_eq!(mistake(" \n"), (1, 1, Kind::Empty));
    assert_eq!(mistake(&"x".repeat(TEMPLATE_BYTES_MAX + 1)), (1, 1, Kind::TooLong));
}

#[test]
fn regex_matchers_are_seen_through_space_and_comments_and_escaped_quotes_do_not_end_a_string() {
    assert_eq!(render("x{a=~ # \"why\n '{{model}}'}", "a.b").unwrap(), "x{a=~ # \"why\n 'a\\\\.b'}");
    assert_eq!(render(r#"x{a!~"{{model}}",b="\"{{model}}"}"#, "a.b").unwrap(), r#"x{a!~"a\\.b",b="\"a.b"}"#);
    assert_eq!(render("x{a=~`{{model}}`}", "a.b").unwrap(), r"x{a=~`a\.b`}");
}

#[test]
fn values_that_no_escape_makes_safe_are_refused() {
    for text in ["", "a\nb", "a\0b", "\u{fffd}", &"a".repeat(254)] {
        assert!(render("x{a=\"{{model}}\"}", text).is_err(), "{text:?}");
    }
    assert!(render("x{a=`{{model}}`}", "a`b").is_err());
    assert_eq!(render("x{a=`{{model}}`}", "a\"\\b").unwrap(), "x{a=`a\"\\b`}");
}

proptest! {
    #[test]
    fn no_value_leaves_its_string(text in any::<String>(), quote in prop::sample::select(vec!['"', '\'', '`']), hostile in 0..4_usize) {
        let text = format!("{text}{}", ["", "\"} or vector(1) #", "'} or vector(1) #", "\\"][hostile]);
        if let Ok(query) = render(&format!("x{{a={quote}<{{{{model}}}}>{quote}}} + 1"), &text) {
            let (value, rest) = unquote(query.strip_prefix("x{a=").unwrap());
            prop_assert_eq!(value, format!("<{text}>"));
            prop_assert_eq!(rest, "} + 1");
        }
    }

    #[test]
    fn no_value_is_an_operator_behind_a_regex_matcher(text in "[ -~]{1,40}", quote in prop::sample::select(vec!['"', '\'', '`'])) {
        for name in ["revision", "pods"] {
            if let Ok(query) = render(&format!("x{{a=~{quote}{{{{{name}}}}}{quote}}}"), &text) {
                let (regex, rest) = unquote(query.strip_prefix("x{a=~").unwrap());
                let regex = if name == "pods" { regex.strip_suffix("-.+").unwrap() } else { &regex };
                prop_assert_eq!(literal_of(regex), text.clone());
                prop_assert_eq!(rest, "}");
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_what_it_takes_without_holes_comes_back_unchanged(text in any::<String>()) {
        if let Ok(template) = Template::parse(&text) && template.parts.iter().all(|part| matches!(part, Part::Text(_))) {
            prop_assert_eq!(template.render(&parameters("a")).unwrap(), text);
        }
    }
}

//! Enums for status: closed when written, open when read.
//!
//! A status value that a newer operator wrote must not make an object undecodable for an older one, and a value that was renamed
//! must not make old objects impossible to patch. So the schema of such a value is a bounded string, and reading keeps unknown text.

/// Declares an enum whose unknown values survive in `Other`.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A value that another version of the operator wrote.
            Other(String),
        }

        impl $name {
            /// The value as it is written in status.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Other(text),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer).map(Self::from)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "maxLength": 64})
            }
        }
    };
}

pub(crate) use open_enum;

#[cfg(test)]
mod tests {
    use crate::api::model_deployment::{ModelDeploymentPhase, ModelDeploymentStatus};

    #[test]
    fn a_value_of_a_newer_operator_is_kept() {
        let text = r#"{"phase":"Levitating"}"#;
        let status: ModelDeploymentStatus = serde_json::from_str(text).unwrap();
        assert_eq!(status.phase, Some(ModelDeploymentPhase::Other("Levitating".to_owned())));
        assert_eq!(serde_json::to_string(&status).unwrap(), text);
    }

    #[test]
    fn a_known_value_is_read_as_what_it_is() {
        let status: ModelDeploymentStatus = serde_json::from_str(r#"{"phase":"Active"}"#).unwrap();
        assert_eq!(status.phase, Some(ModelDeploymentPhase::Active));
        assert_eq!(format!("{:<8}|", ModelDeploymentPhase::Active), "Active  |");
    }
}

//! `Impersonate-*` headers: asking as somebody else, and who may.
//!
//! Takes the headers and who really asks; gives who is asked for, and asks for the right `impersonate` of every part of it.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::access::Attributes;
use super::rbac::service_account;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Identity;

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
const EXTRA: &str = "impersonate-extra-";

/// Who really asks, and what the headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    by: Identity,
    user: String,
    groups: Vec<String>,
    uid: String,
    extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// What the headers ask for; `None` without any.
    pub fn from_headers(headers: &HeaderMap, by: &Identity) -> Option<Self> {
        let all = |name: &str| -> Vec<String> {
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
        };
        let first = |name: &str| all(name).into_iter().next().unwrap_or_default();
        let extra = headers.keys().filter_map(|name| {
            let key = name.as_str().strip_prefix(EXTRA)?;
            Some((super::request::percent_decoded(key, false), all(name.as_str())))
        });
        let asked = Self {
            by: by.clone(),
            user: first("impersonate-user"),
            groups: all("impersonate-group"),
            uid: first("impersonate-uid"),
            extra: extra.collect(),
        };
        let nothing = asked.user.is_empty() && asked.groups.is_empty() && asked.uid.is_empty() && asked.extra.is_empty();
        (!nothing).then_some(asked)
    }

    /// Who is asked for, with the groups that follow from the name.
    pub fn identity(&self) -> Identity {
        let mut groups = self.groups.clone();
        if groups.is_empty()
            && let Some((namespace, _)) = service_account(&self.user)
        {
            groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]);
        }
        let own = if self.user == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED) {
            groups.push(own.to_owned());
        }
        let (user, uid, extra) = (self.user.clone(), self.uid.clone(), self.extra.clone());
        Identity { user, groups, uid, extra, user_agent: self.by.user_agent.clone() }
    }

    /// Corrects who really asks.
    pub(super) fn set_by(&mut self, by: Identity) {
        self.by = by;
    }

    /// Asks `allowed` for the right to each part.
    ///
    /// # Errors
    /// 400 without a user, else the first refusal.
    pub(super) fn check(&self, allowed: impl Fn(&Identity, &Attributes<'_>) -> Result<(), ApiError>) -> Result<(), ApiError> {
        if self.user.is_empty() {
            return Err(ApiError::bad_request(format!("requested [{}] without impersonating a user", self.parts().join(" "))));
        }
        let attributes = |group, resource| Attributes { verb: "impersonate", group, resource, ..Attributes::default() };
        let ask = |attributes: Attributes<'_>| allowed(&self.by, &attributes);
        match service_account(&self.user) {
            Some((namespace, name)) => ask(Attributes { namespace, name, ..attributes("", "serviceaccounts") })?,
            None => ask(Attributes { name: &self.user, ..attributes("", "users") })?,
        }
        for group in &self.groups {
            ask(Attributes { name: group, ..attributes("", "groups") })?;
        }
        for (key, values) in &self.extra {
            for value in values {
                ask(Attributes { name: value, subresource: key, ..attributes(AUTHENTICATION, "userextras") })?;
            }
        }
        if self.uid.is_empty() { Ok(()) } else { ask(Attributes { name: &self.uid, ..attributes(AUTHENTICATION, "uids") }) }
    }

    /// The parts as Go prints object references.
    fn parts(&self) -> Vec<String> {
        let groups = self.groups.iter().map(|group| format!("{{Group  {group}    }}"));
        let extra = self
            .extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| format!("{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}")));
        let uid = Some(&self.uid).filter(|uid| !uid.is_empty()).map(|uid| format!("{{UID  {uid}  {AUTHENTICATION}/v1  }}"));
        groups.chain(extra).chain(uid).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Impersonation;
    use crate::sim::api_error::ApiError;
    use crate::sim::cluster::Identity;

    fn of(headers: &[(&'static str, &'static str)]) -> Option<Impersonation> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Impersonation::from_headers(&map, &Identity::user("me"))
    }

    fn groups(headers: &[(&'static str, &'static str)]) -> Vec<String> {
        of(headers).unwrap().identity().groups
    }

    #[test]
    fn groups_follow_from_the_name() {
        assert_eq!(of(&[]), None);
        assert_eq!(groups(&[("impersonate-user", "bob")]), ["system:authenticated"]);
        assert_eq!(groups(&[("impersonate-user", "bob"), ("impersonate-group", "dev")]), ["dev", "system:authenticated"]);
        assert_eq!(groups(&[("impersonate-user", "system:anonymous")]), ["system:unauthenticated"]);
        let account = groups(&[("impersonate-user", "system:serviceaccount:a:b")]);
        assert_eq!(account, ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]);
        let named = groups(&[("impersonate-user", "system:serviceaccount:a:b"), ("impersonate-group", "g")]);
        assert_eq!(named, ["g", "system:authenticated"]);
    }

    #[test]
    fn every_part_needs_its_own_right() {
        let headers = [("impersonate-user", "bob"), ("impersonate-group", "dev"), ("impersonate-uid", "u1")];
        let headers = [&headers[..], &[("impersonate-extra-ex.io%2fa", "v")]].concat();
        let asked = RefCell::new(Vec::new());
        let checked = of(&headers).unwrap().check(|by, attributes| {
            assert_eq!((by.user.as_str(), attributes.verb), ("me", "impersonate"));
            let place = format!("{}/{}/{}/{}", attributes.group, attributes.resource, attributes.subresource, attributes.name);
            asked.borrow_mut().push(place);
            Ok(())
        });
        assert_eq!(checked, Ok(()));
        let extra = "authentication.k8s.io/userextras/ex.io/a/v";
        assert_eq!(asked.into_inner(), ["/users//bob", "/groups//dev", extra, "authentication.k8s.io/uids//u1"]);
        let refused = of(&headers).unwrap().check(|_, _| Err(ApiError::bad_request("no")));
        assert_eq!(refused.unwrap_err().message, "no");
    }

    #[test]
    fn groups_without_a_user_are_a_bad_request() {
        let error = of(&[("impersonate-group", "g")]).unwrap().check(|_, _| Ok(())).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, "requested [{Group  g    }] without impersonating a user"));
        let error = of(&[("impersonate-uid", "g")]).unwrap().check(|_, _| Ok(())).unwrap_err();
        assert_eq!(error.message, "requested [{UID  g  authentication.k8s.io/v1  }] without impersonating a user");
    }
}

//! Tokens of service accounts: who asks with one.
//!
//! Takes a bearer token and the cluster; gives the service account, as long as it exists and the token lasts. The tokens are
//! no secrets: they are made of the account's uid and the time until which they count, and protect nothing on loopback.

use jiff::Timestamp;

use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity};
use crate::sim::verbs::meta;

const PREFIX: &str = "simulated";

/// The text of a token for the account of this uid.
pub(super) fn token(uid: &str, expires: Timestamp) -> String {
    format!("{PREFIX}.{uid}.{}", expires.as_second())
}

/// Who a token stands for. `base` keeps its user agent.
///
/// # Errors
/// 401 for tokens that are not of this server, have expired, or whose account is gone.
pub(super) fn identity(cluster: &Cluster, token: &str, base: &Identity) -> Result<Identity, ApiError> {
    find(cluster, token, base).ok_or_else(|| ApiError::new(401, "Unauthorized", "Unauthorized"))
}

fn find(cluster: &Cluster, token: &str, base: &Identity) -> Option<Identity> {
    let (uid, expires) = token.strip_prefix(PREFIX)?.strip_prefix('.')?.rsplit_once('.')?;
    let expires: i64 = expires.parse().ok()?;
    let key = cluster.by_uid(uid).filter(|key| key.resource == "serviceaccounts")?;
    let account = cluster.object(key)?;
    if expires <= cluster.now().as_second() || meta::text(account, "uid") != uid {
        return None;
    }
    let groups =
        ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{}", key.namespace), "system:authenticated".to_owned()];
    Some(Identity {
        user: format!("system:serviceaccount:{}:{}", key.namespace, key.name),
        groups: groups.to_vec(),
        uid: uid.to_owned(),
        user_agent: base.user_agent.clone(),
        ..Identity::default()
    })
}

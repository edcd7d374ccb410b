//! Certificates for tokens: the API server says whose a token is.

use super::AUDIENCE;
use super::authority::{Authority, NotIssued};
use crate::provision::REMOTE;
use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::PostParams;
use kube::{Api, Client};
use lychgate_api::ObjectKey;
use lychgate_feed::GroupId;
use lychgate_feed::enroll::{EnrollError, Enrolled, Enroller};
use lychgate_ir::Redacted;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

/// Signs for whoever shows a token of a ServiceAccount that was made for us.
pub struct TokenEnroller {
    client: Client,
    authority: watch::Receiver<Arc<Authority>>,
    trust_domain: String,
    elsewhere: Elsewhere,
}

/// Other clusters, and which groups may be served from which of them. A cluster answers for its own tokens alone: a token
/// of another one stands for nobody but a group that was given to that cluster.
#[derive(Default)]
pub struct Elsewhere {
    /// The clusters, by name.
    pub clusters: BTreeMap<String, Client>,
    /// Where groups are served.
    pub groups: Option<watch::Receiver<BTreeMap<ObjectKey, String>>>,
}

impl Elsewhere {
    fn serves(&self, cluster: &str, group: &GroupId) -> bool {
        let key = ObjectKey::new(&*group.namespace, &*group.name);
        self.groups.as_ref().is_some_and(|groups| groups.borrow().get(&key).is_some_and(|known| known == cluster))
    }
}

impl TokenEnroller {
    /// Asks this cluster about tokens, and then the others.
    #[must_use]
    pub fn new(
        client: Client,
        authority: watch::Receiver<Arc<Authority>>,
        trust_domain: String,
        elsewhere: Elsewhere,
    ) -> Self {
        Self { client, authority, trust_domain, elsewhere }
    }

    /// Who the token is of.
    async fn whose(&self, token: &Redacted) -> Result<GroupId, EnrollError> {
        let here = holder(review(&self.client, token, "this cluster").await?);
        let mut refused = match here {
            Ok(group) => return Ok(group),
            Err(refused) => refused,
        };
        for (name, client) in &self.elsewhere.clusters {
            match review(client, token, name).await.map(holder) {
                Ok(Ok(group)) if self.elsewhere.serves(name, &group) => return Ok(group),
                Ok(Ok(group)) => {
                    return Err(EnrollError::Refused(format!(
                        "no Gateway of {group} is served from cluster {name}; annotate it with {REMOTE}={name}"
                    )));
                }
                Ok(Err(why)) => refused = format!("{refused}; cluster {name}: {why}"),
                // Another cluster that is away harms its own data planes only.
                Err(error) => refused = format!("{refused}; cluster {name}: {error}"),
            }
        }
        Err(EnrollError::Refused(refused))
    }
}

/// What a cluster says of a token.
async fn review(client: &Client, token: &Redacted, cluster: &str) -> Result<TokenReviewStatus, EnrollError> {
    let review = TokenReview {
        spec: TokenReviewSpec { token: Some(token.expose().to_owned()), audiences: Some(vec![AUDIENCE.to_owned()]) },
        ..TokenReview::default()
    };
    let api: Api<TokenReview> = Api::all(client.clone());
    let reviewed = api.create(&PostParams::default(), &review).await.map_err(|error| {
        tracing::warn!(cluster, %error, "the API server does not say whose a token is");
        EnrollError::Unavailable("the API server does not say whose the token is".to_owned())
    })?;
    Ok(reviewed.status.unwrap_or_default())
}

#[async_trait]
impl Enroller for TokenEnroller {
    async fn enroll(&self, token: &Redacted, csr_der: &[u8]) -> Result<Enrolled, EnrollError> {
        let group = self.whose(token).await?;
        let authority = self.authority.borrow().clone();
        let issued = authority.data_plane(csr_der, &group, &self.trust_domain, SystemTime::now());
        let issued = issued.map_err(|error| match error {
            NotIssued::Malformed(why) => EnrollError::Malformed(why),
            NotIssued::Broken(why) => {
                tracing::error!(error = why, "the certificate authority cannot sign");
                EnrollError::Unavailable("the certificate authority cannot sign".to_owned())
            }
        })?;
        tracing::debug!(%group, "issued a certificate");
        Ok(Enrolled { chain_pem: issued.chain, roots_pem: authority.bundle(), not_after: issued.not_after })
    }
}

/// The ServiceAccount that a token is of.
fn holder(status: TokenReviewStatus) -> Result<GroupId, String> {
    let TokenReviewStatus { audiences, authenticated, error, user } = status;
    if authenticated != Some(true) {
        return Err(format!(
            "the token is not valid: {}",
            error.unwrap_or_else(|| "the API server says no more".to_owned())
        ));
    }
    // A server that does not know of audiences has not looked at ours either.
    if !audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE) {
        return Err(format!("the token is not for audience {AUDIENCE}"));
    }
    let name = user.and_then(|user| user.username).unwrap_or_default();
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let (namespace, name) = account.ok_or_else(|| format!("`{name}` is no ServiceAccount"))?;
    Ok(GroupId::new(namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::authentication::v1::UserInfo;

    fn status(authenticated: bool, audiences: &[&str], user: &str) -> TokenReviewStatus {
        TokenReviewStatus {
            authenticated: Some(authenticated),
            audiences: Some(audiences.iter().map(|audience| (*audience).to_owned()).collect()),
            user: Some(UserInfo { username: Some(user.to_owned()), ..UserInfo::default() }),
            error: None,
        }
    }

    #[test]
    fn only_a_service_account_with_our_audience_is_anybody() {
        let good = holder(status(true, &["lychgate"], "system:serviceaccount:shop:lychgate-edge"));
        assert_eq!(good, Ok(GroupId::new("shop", "lychgate-edge")));
        for bad in [
            status(false, &["lychgate"], "system:serviceaccount:shop:lychgate-edge"),
            status(true, &[], "system:serviceaccount:shop:lychgate-edge"),
            status(true, &["https://kubernetes.default.svc"], "system:serviceaccount:shop:lychgate-edge"),
            status(true, &["lychgate"], "system:admin"),
            status(true, &["lychgate"], "system:serviceaccount:shop"),
            TokenReviewStatus::default(),
        ] {
            assert!(holder(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cluster_answers_for_nobody_but_whom_it_was_given() {
        let key = ObjectKey::new("shop", "lychgate-edge");
        let (_keep, groups) = watch::channel(BTreeMap::from([(key, "east".to_owned())]));
        let elsewhere = Elsewhere { clusters: BTreeMap::new(), groups: Some(groups) };
        assert!(elsewhere.serves("east", &GroupId::new("shop", "lychgate-edge")));
        assert!(!elsewhere.serves("west", &GroupId::new("shop", "lychgate-edge")));
        assert!(!elsewhere.serves("east", &GroupId::new("shop", "lychgate-other")));
        assert!(!Elsewhere::default().serves("east", &GroupId::new("shop", "lychgate-edge")));
    }
}

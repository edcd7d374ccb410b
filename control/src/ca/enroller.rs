//! Certificates for tokens: the API server says whose a token is.

use super::AUDIENCE;
use super::authority::{Authority, NotIssued};
use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::PostParams;
use kube::{Api, Client};
use lychgate_feed::GroupId;
use lychgate_feed::enroll::{EnrollError, Enrolled, Enroller};
use lychgate_ir::Redacted;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

/// Signs for whoever shows a token of a ServiceAccount that was made for us.
pub struct TokenEnroller {
    client: Client,
    authority: watch::Receiver<Arc<Authority>>,
    trust_domain: String,
}

impl TokenEnroller {
    /// Asks this cluster about tokens.
    #[must_use]
    pub fn new(client: Client, authority: watch::Receiver<Arc<Authority>>, trust_domain: String) -> Self {
        Self { client, authority, trust_domain }
    }
}

#[async_trait]
impl Enroller for TokenEnroller {
    async fn enroll(&self, token: &Redacted, csr_der: &[u8]) -> Result<Enrolled, EnrollError> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.expose().to_owned()),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let reviewed = api.create(&PostParams::default(), &review).await.map_err(|error| {
            tracing::warn!(%error, "the API server does not say whose a token is");
            EnrollError::Unavailable("the API server does not say whose the token is".to_owned())
        })?;
        let group = holder(reviewed.status.unwrap_or_default()).map_err(EnrollError::Refused)?;
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
}

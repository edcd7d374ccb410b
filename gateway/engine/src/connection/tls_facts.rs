//! What TLS said about the client, and whether it still holds: connections outlive the settings they were made under.

use crate::egress::spiffe_id;
use crate::live::Live;
use crate::runtime::{ListenerState, ListenerTlsState};
use crate::tls::server::Unverified;
use http::HeaderValue;
use lychgate_ir::ListenerId;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// The listener whose certificate was presented.
    pub(crate) listener: ListenerId,
    /// From accept to finish.
    handshake: Duration,
    /// Whether a request has counted the handshake as its own.
    counted: AtomicBool,
    /// What the client presented.
    chain: Option<Vec<CertificateDer<'static>>>,
    judged: Live<Judged>,
}

/// A judgement, and by which settings it was made.
#[derive(Debug)]
struct Judged {
    by: Arc<ListenerTlsState>,
    client: Option<HeaderValue>,
}

impl TlsFacts {
    /// An error if the listener does not take the client. A resumed session has no handshake that would have told.
    pub(crate) fn new(
        listener: ListenerId,
        tls: &Arc<ListenerTlsState>,
        chain: Option<&[CertificateDer<'_>]>,
        handshake: Duration,
    ) -> Result<Self, Unverified> {
        let client = tls.server.judge(chain)?;
        let judged = Live::new(Arc::new(Judged { by: tls.clone(), client }));
        let chain = chain.map(|chain| chain.iter().map(|each| each.clone().into_owned()).collect());
        Ok(Self { listener, handshake, counted: AtomicBool::new(false), chain, judged })
    }

    /// How long the handshake took, told once: the first request of a connection has waited for it.
    pub(crate) fn handshake(&self) -> Option<Duration> {
        (!self.counted.swap(true, Ordering::Relaxed)).then_some(self.handshake)
    }

    /// Who the client is by the listener's settings of now, as backends are told. Where the settings have changed since
    /// the handshake, what the client presented then is judged anew.
    pub(crate) fn client(&self, listener: &ListenerState) -> Result<Option<HeaderValue>, Unverified> {
        let Some(Ok(tls)) = &listener.tls else { return Err(Unverified) };
        let judged = self.judged.pin();
        if Arc::ptr_eq(&judged.by, tls) {
            return Ok(judged.client.clone());
        }
        let client = tls.server.judge(self.chain.as_deref())?;
        self.judged.set(Arc::new(Judged { by: tls.clone(), client: client.clone() }));
        Ok(client)
    }

    /// The SPIFFE ID that the client has proved, by the listener's settings of now.
    pub(crate) fn spiffe_id(&self, listener: &ListenerState) -> Option<Arc<str>> {
        self.client(listener).ok()??;
        self.chain.as_deref()?.first().and_then(spiffe_id)
    }
}

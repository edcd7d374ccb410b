//! Whom to ask, and for how long an answer holds.

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use lychgate_ir::egress::{DnsName, DnsProtocol, DnsUpstream, EgressDns};
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Answers that are kept. One takes some hundred bytes.
const CACHED: u64 = 8192;
/// That a name does not exist is believed for no longer, whatever its zone says: new names are wanted soon.
const LONGEST_NO: Duration = Duration::from_secs(60);
/// How long one resolver is waited for, and how often it is asked again.
const PATIENCE: Duration = Duration::from_millis(1500);
const AGAIN: usize = 1;
/// One that did not answer is asked after the others for so long.
const DOUBT: Duration = Duration::from_secs(10);
/// How long the names of the host itself hold.
const OF_THE_HOST: Duration = Duration::from_secs(5);

/// The resolvers of a Gateway, and their cache.
pub struct Upstream {
    /// In the order in which they are asked, each with a cache of its own.
    servers: Vec<Server>,
    /// The host's own table, where the host's resolvers are asked.
    hosts: Option<Hosts>,
}

struct Server {
    resolver: TokioResolver,
    /// When it last did not answer.
    silent: Mutex<Option<Instant>>,
}

impl Server {
    fn is_doubtful(&self) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|at| at.elapsed() < DOUBT)
    }

    fn heard<T>(&self, answer: Result<T, NetError>) -> Result<T, Failure> {
        let answer = answer.map_err(Failure::from);
        let is_silent = matches!(answer, Err(Failure::Unanswered(_)));
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = is_silent.then(Instant::now);
        answer
    }
}

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub ttl: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, Error)]
pub enum Failure {
    /// The name does not exist.
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists, and has nothing of this kind.
    #[error("the name has no such records")]
    NoRecords,
    /// Nobody could tell.
    #[error("no resolver answers: {0}")]
    Unanswered(String),
}

/// What somebody answered.
pub(crate) enum Found {
    /// These.
    Records(Vec<Record>),
    /// That there is nothing, with the record (SOA) of the zone that says for how long, if it came along.
    Nothing { failure: Failure, zone: Option<Box<Record>> },
}

impl Found {
    fn nothing(error: NetError) -> Result<Self, NetError> {
        let NetError::Dns(DnsError::NoRecordsFound(found)) = &error else { return Err(error) };
        // Those from the cache were made younger by the cache.
        let holds = found.negative_ttl.unwrap_or_default().min(u32::try_from(LONGEST_NO.as_secs()).unwrap_or_default());
        let zone = found.soa.as_ref().map(|soa| {
            let mut zone = (**soa).clone().into_record_of_rdata();
            zone.ttl = zone.ttl.min(holds);
            Box::new(zone)
        });
        Ok(Self::Nothing { failure: error.into(), zone })
    }
}

/// Why names cannot be resolved at all.
#[derive(Clone, Debug, Error)]
#[error("names cannot be resolved: {0}; name resolvers in `spec.egress.dns.upstreams`")]
pub struct BadUpstream(String);

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        match () {
            () if error.is_nx_domain() => Self::NoSuchName,
            () if error.is_no_records_found() => Self::NoRecords,
            () => Self::Unanswered(error.to_string()),
        }
    }
}

impl Upstream {
    /// Asks those that the Gateway names, in their order, or else those of the host. The certificates of those that speak
    /// TLS are held to the host's roots.
    pub fn new(dns: &EgressDns) -> Result<Self, BadUpstream> {
        let roots = || {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        };
        Self::with_roots(dns, roots)
    }

    /// As [`Self::new`], with other roots. They are asked for only if one of the resolvers speaks TLS.
    pub fn with_roots(dns: &EgressDns, roots: impl FnOnce() -> RootCertStore) -> Result<Self, BadUpstream> {
        let EgressDns { upstreams, min_ttl, max_ttl } = dns;
        let bad = |error: &dyn ToString| BadUpstream(error.to_string());
        let speaks_tls = upstreams.iter().any(|upstream| match upstream.protocol {
            DnsProtocol::Tls | DnsProtocol::Https => true,
            DnsProtocol::Udp => false,
        });
        let roots = if speaks_tls { roots() } else { RootCertStore::empty() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&error))?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let builders = if upstreams.is_empty() {
            vec![TokioResolver::builder_tokio().map_err(|error| bad(&error))?]
        } else {
            let of = |upstream| {
                let config = ResolverConfig::from_name_servers(vec![name_server(upstream)?]);
                Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
            };
            upstreams.iter().map(of).collect::<Result<_, _>>()?
        };
        let server = |builder: ResolverBuilder<TokioRuntimeProvider>| {
            let resolver = configured(builder.with_tls_config(tls.clone()), *min_ttl, *max_ttl).build();
            resolver.map(|resolver| Server { resolver, silent: Mutex::default() })
        };
        let servers = builders.into_iter().map(server).collect::<Result<_, _>>().map_err(|error| bad(&error))?;
        let hosts = upstreams.is_empty().then(|| Hosts::from_system().unwrap_or_default());
        Ok(Self { servers, hosts })
    }
    /// The addresses of a name, of both families, to decide about and to dial.
    pub async fn addresses(&self, name: &DnsName) -> Result<Addresses, Failure> {
        if let Some(addresses) = self.of_the_host(name) {
            return Ok(Addresses { addresses, ttl: OF_THE_HOST });
        }
        let complete = complete(name)?;
        let found = self
            .ask(|resolver| {
                let name = complete.clone();
                async move { resolver.lookup_ip(name).await }
            })
            .await?;
        let ttl = found.valid_until().saturating_duration_since(Instant::now());
        let mut addresses = Vec::new();
        for address in found.iter() {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err(Failure::NoRecords) } else { Ok(Addresses { addresses, ttl }) }
    }

    /// What a name has of a kind, with the aliases that lead there.
    pub(crate) async fn records(&self, name: &DnsName, kind: RecordType) -> Result<Found, Failure> {
        let complete = complete(name)?;
        if let Some(addresses) = self.of_the_host(name) {
            let ttl = u32::try_from(OF_THE_HOST.as_secs()).unwrap_or_default();
            let of_kind = addresses.into_iter().filter(|address| match address {
                IpAddr::V4(_) => kind == RecordType::A,
                IpAddr::V6(_) => kind == RecordType::AAAA,
            });
            let records: Vec<_> =
                of_kind.map(|address| Record::from_rdata(complete.clone(), ttl, address.into())).collect();
            return if records.is_empty() { Err(Failure::NoRecords) } else { Ok(Found::Records(records)) };
        }
        self.ask(|resolver| {
            let name = complete.clone();
            async move {
                match resolver.lookup(name, kind).await {
                    Ok(found) => Ok(Found::Records(held_for(&found))),
                    Err(error) => Found::nothing(error),
                }
            }
        })
        .await
    }

    /// Asks one after the other until somebody answers. Those that were silent a moment ago come last: else each question
    /// would wait for them.
    async fn ask<T, L>(&self, lookup: impl Fn(TokioResolver) -> L) -> Result<T, Failure>
    where
        L: Future<Output = Result<T, NetError>> + Send,
    {
        let mut last = Failure::Unanswered("there is none".to_owned());
        let (doubtful, well): (Vec<_>, Vec<_>) = self.servers.iter().partition(|server| server.is_doubtful());
        for server in well.into_iter().chain(doubtful) {
            match server.heard(lookup(server.resolver.clone()).await) {
                Err(failure @ Failure::Unanswered(_)) => last = failure,
                answer => return answer,
            }
        }
        Err(last)
    }

    /// Names that are this host's own affair: `localhost` (RFC 6761 section 6.3) is asked of nobody, and what stands in the
    /// host's table goes before DNS.
    fn of_the_host(&self, name: &DnsName) -> Option<Vec<IpAddr>> {
        let text = name.as_str();
        if text == "localhost" || text.ends_with(".localhost") {
            return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let (hosts, name) = (self.hosts.as_ref()?, complete(name).ok()?);
        let of = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let addresses: Vec<IpAddr> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(of)
            .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect();
        (!addresses.is_empty()).then_some(addresses)
    }
}

fn configured(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    min_ttl: Duration,
    max_ttl: Duration,
) -> ResolverBuilder<TokioRuntimeProvider> {
    let options = builder.options_mut();

    options.cache_size = CACHED;
    options.positive_min_ttl = Some(min_ttl);
    options.positive_max_ttl = (!max_ttl.is_zero()).then_some(max_ttl);
    options.negative_max_ttl = Some(LONGEST_NO);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = PATIENCE;
    options.attempts = AGAIN;
    options.edns0 = true;
    // An answer from somebody who did not see the question has to guess this as well.
    options.case_randomization = true;
    options.preserve_intermediates = true;
    // Looked at below, for all families at once.
    options.use_hosts_file = ResolveHosts::Never;
    builder
}

/// The records of an answer, each for as long as the answer as a whole still holds here: those from the cache are older
/// than they say.
fn held_for(found: &Lookup) -> Vec<Record> {
    let left = found.valid_until().saturating_duration_since(Instant::now()).as_secs();
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    found
        .answers()
        .iter()
        .map(|record| {
            let mut record = record.clone();
            record.ttl = left;
            record
        })
        .collect()
}

/// A name that no search list is put behind.
fn complete(name: &DnsName) -> Result<Name, Failure> {
    let mut name = Name::from_ascii(name.as_str()).map_err(|error| Failure::Unanswered(error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

fn name_server(upstream: &DnsUpstream) -> Result<NameServerConfig, BadUpstream> {
    let DnsUpstream { protocol, address, port, name } = upstream;
    let named = || name.clone().ok_or_else(|| BadUpstream(format!("{address} speaks TLS, and its name is not given")));
    let mut connections = match protocol {
        DnsProtocol::Udp => vec![ConnectionConfig::udp(), ConnectionConfig::tcp()],
        DnsProtocol::Tls => vec![ConnectionConfig::tls(named()?)],
        DnsProtocol::Https => vec![ConnectionConfig::https(named()?, None)],
    };
    connections.iter_mut().for_each(|connection| connection.port = *port);
    Ok(NameServerConfig::new(*address, true, connections))
}

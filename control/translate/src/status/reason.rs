//! Reasons of conditions, as Gateway API v1.7.0 names them.

pub(crate) const ACCEPTED: &str = "Accepted";
pub(crate) const PROGRAMMED: &str = "Programmed";
pub(crate) const RESOLVED_REFS: &str = "ResolvedRefs";
pub(crate) const INVALID: &str = "Invalid";
pub(crate) const PENDING: &str = "Pending";
pub(crate) const INVALID_PARAMETERS: &str = "InvalidParameters";
pub(crate) const REF_NOT_PERMITTED: &str = "RefNotPermitted";
pub(crate) const UNSUPPORTED_VALUE: &str = "UnsupportedValue";
pub(crate) const UNSUPPORTED_PROTOCOL: &str = "UnsupportedProtocol";
pub(crate) const INVALID_KIND: &str = "InvalidKind";

// Gateways.
pub(crate) const UNSUPPORTED_ADDRESS: &str = "UnsupportedAddress";
pub(crate) const ADDRESS_NOT_USABLE: &str = "AddressNotUsable";
pub(crate) const ADDRESS_NOT_ASSIGNED: &str = "AddressNotAssigned";
pub(crate) const LISTENERS_NOT_VALID: &str = "ListenersNotValid";
pub(crate) const LISTENERS_NOT_RESOLVED: &str = "ListenersNotResolved";
pub(crate) const INVALID_CLIENT_CERTIFICATE_REF: &str = "InvalidClientCertificateRef";
pub(crate) const CONFIGURATION_CHANGED: &str = "ConfigurationChanged";

// Listeners and ListenerSets.
pub(crate) const NO_CONFLICTS: &str = "NoConflicts";
pub(crate) const HOSTNAME_CONFLICT: &str = "HostnameConflict";
pub(crate) const PROTOCOL_CONFLICT: &str = "ProtocolConflict";
pub(crate) const INVALID_CERTIFICATE_REF: &str = "InvalidCertificateRef";
pub(crate) const INVALID_LISTENER_FILTER: &str = "InvalidListenerFilter";
pub(crate) const INVALID_LISTENER_FILTER_REF: &str = "InvalidListenerFilterRef";
pub(crate) const INVALID_ROUTE_KINDS: &str = "InvalidRouteKinds";
pub(crate) const INVALID_CA_CERTIFICATE_REF: &str = "InvalidCACertificateRef";
pub(crate) const INVALID_CA_CERTIFICATE_KIND: &str = "InvalidCACertificateKind";
pub(crate) const NO_VALID_CA_CERTIFICATE: &str = "NoValidCACertificate";
pub(crate) const OVERLAPPING_HOSTNAMES: &str = "OverlappingHostnames";
pub(crate) const PORT_UNAVAILABLE: &str = "PortUnavailable";
pub(crate) const NOT_ALLOWED: &str = "NotAllowed";
pub(crate) const PARENT_NOT_ACCEPTED: &str = "ParentNotAccepted";

// Routes.
pub(crate) const NOT_ALLOWED_BY_LISTENERS: &str = "NotAllowedByListeners";
pub(crate) const NO_MATCHING_LISTENER_HOSTNAME: &str = "NoMatchingListenerHostname";
pub(crate) const NO_MATCHING_PARENT: &str = "NoMatchingParent";
pub(crate) const INCOMPATIBLE_FILTERS: &str = "IncompatibleFilters";
pub(crate) const BACKEND_NOT_FOUND: &str = "BackendNotFound";

// Policies.
pub(crate) const CONFLICTED: &str = "Conflicted";
pub(crate) const TARGET_NOT_FOUND: &str = "TargetNotFound";
pub(crate) const INVALID_SECRET_REF: &str = "InvalidSecretRef";

//! gRPC in the clear: one message for one, and many for one.

use super::{Unit, Work, Workload};
use crate::load::{Form, H2load, Load};
use crate::scene::Scene;

pub(super) fn all() -> Vec<Workload> {
    let one = |key: &str, title: &str, unit, streams, path| Workload {
        key: key.to_owned(),
        title: title.to_owned(),
        unit,
        scene: Scene::Grpc,
        work: Work::Load(Load::H2load(H2load { tls: false, connections: 8, streams, path, form: Form::Grpc }), None),
    };
    vec![
        one("grpc", "gRPC, one message", Unit::Call, 16, "/bench.Echo/Unary"),
        one("grpc-stream", "gRPC, a stream of messages", Unit::Message, 4, "/bench.Echo/Stream"),
    ]
}

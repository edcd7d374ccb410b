//! A plain evaluator that reads every rule of every policy each time, to compare with.

mod arbitrary;

use crate::support::{address, reached};
use arbitrary::{ADDRESSES, Case, a_case, a_config, a_source};
use http::Method;
use ipnet::IpNet;
use lychgate_egress::{Ask, Because, Policies, Reached, Screening, Source, Spoken, Verdict};
use lychgate_ir::egress::{
    Destination, EgressAction, EgressConfig, EgressExceptions, EgressMode, EgressPolicy, EgressProtocol, EgressRule,
    EgressSubject, HttpRule,
};
use proptest::prelude::*;

/// Whether a rule holds.
fn holds(rule: &EgressRule, case: &Case, unknown_by_everyone: bool) -> bool {
    let EgressRule { name: _, action, destination, ports, protocols, windows: _, exceptions, reason: _, handling: _ } =
        rule;
    let is_allow = *action == EgressAction::Allow;
    let (_, inner, block) = ADDRESSES[case.address];
    let block: Option<IpNet> = block.map(|net| net.parse().unwrap());
    let here = case.address().to_canonical();
    let is_tls = matches!(case.spoken, 1 | 3);
    let is_http = matches!(case.spoken, 2 | 3);
    if is_allow && unknown_by_everyone {
        return false;
    }
    let spoken = if case.spoken == 4 {
        is_allow || protocols.contains(&EgressProtocol::Dns) || (protocols.is_empty() && ports.is_empty())
    } else {
        let speaks = |protocol: &EgressProtocol| match protocol {
            EgressProtocol::Tcp => true,
            EgressProtocol::Tls => is_tls,
            EgressProtocol::Http(HttpRule { methods, paths }) => {
                let method = if case.post { Method::POST } else { Method::GET };
                is_http
                    && (methods.is_empty() || methods.contains(&method))
                    && (paths.is_empty() || paths.iter().any(|path| path.matches(case.path)))
            }
            EgressProtocol::Dns => false,
        };
        (ports.is_empty() || ports.iter().any(|ports| ports.contains(case.port)))
            && (protocols.is_empty() || protocols.iter().any(speaks))
    };
    if !spoken {
        return false;
    }
    let sni = case.sni.as_ref().filter(|_| is_tls);
    let host = case.host.as_ref().filter(|_| is_http);
    let main = case.called.as_ref().or(sni).or(host);
    if !is_allow {
        let faces = [Some(here), inner.map(address)];
        let touched = |nets: &[IpNet]| faces.iter().flatten().any(|face| nets.iter().any(|net| net.contains(face)));
        return match destination {
            Destination::Any => true,
            Destination::Addresses(nets) => touched(nets),
            Destination::Hosts { hosts, within } => {
                let mut names = [case.called.as_ref(), sni, host].into_iter().flatten();
                names.any(|name| hosts.iter().any(|host| host.matches(name.as_str())))
                    && (within.is_empty() || touched(within))
            }
        };
    }
    let public = block.is_none();
    let within =
        |nets: &[IpNet]| nets.iter().any(|net| net.contains(&here) && block.is_none_or(|block| block.contains(net)));
    let EgressExceptions { missing_sni, encrypted_client_hello, other_sni, other_host, unverified_name } = *exceptions;
    let agrees = || {
        let sni_agrees = !is_tls
            || match sni {
                None => missing_sni,
                Some(sni) => Some(sni) == main || other_sni,
            };
        let host_agrees = !is_http || other_host || (host.is_some() && host == main);
        let ech = !is_tls || !case.encrypted || encrypted_client_hello;
        sni_agrees && host_agrees && ech && (case.answered || unverified_name)
    };
    match destination {
        Destination::Any => public && (case.called.is_none() || agrees()),
        Destination::Addresses(nets) => case.called.is_none() && within(nets),
        Destination::Hosts { hosts, within: nets } => {
            main.is_some_and(|name| hosts.iter().any(|host| host.matches(name.as_str())))
                && (if nets.is_empty() { public } else { within(nets) })
                && agrees()
        }
    }
}

/// Whom a policy is about: not at all, by being about everyone, or otherwise.
fn is_about(policy: &EgressPolicy, source: &Source) -> Option<bool> {
    let fits = |subject: &EgressSubject| match (subject, source) {
        (EgressSubject::Everyone, _) | (EgressSubject::Unknown, Source::Unknown) => true,
        (EgressSubject::Unknown, Source::Workload(_)) | (_, Source::Unknown) => false,
        (EgressSubject::Namespace(namespace), Source::Workload(of)) => Some(namespace) == of.namespace.as_ref(),
        (EgressSubject::Labels { namespace, labels }, Source::Workload(of)) => {
            Some(namespace) == of.namespace.as_ref()
                && labels.iter().all(|(key, value)| of.labels.get(key) == Some(value))
        }
        (EgressSubject::ServiceAccount(account), Source::Workload(of)) => {
            Some(&account.namespace) == of.namespace.as_ref() && Some(&account.name) == of.service_account.as_ref()
        }
        (EgressSubject::Identity(identity), Source::Workload(of)) => Some(identity) == of.identity.as_ref(),
    };
    let fitting: Vec<_> = policy.subjects.iter().filter(|subject| fits(subject)).collect();
    (!fitting.is_empty()).then(|| fitting.iter().all(|subject| **subject == EgressSubject::Everyone))
}

/// The verdict, and the one if all were enforced.
fn evaluate(config: &EgressConfig, source: &Source, case: &Case) -> (Verdict, Option<Verdict>) {
    let about: Vec<(&EgressPolicy, bool)> =
        config.policies.values().filter_map(|policy| Some((&**policy, is_about(policy, source)?))).collect();
    let takes = |mode: EgressMode| match mode {
        EgressMode::Enforce => false,
        EgressMode::Shadow(share) => case.draw < u8::from(share),
    };
    let verdict = |counts: &dyn Fn(EgressMode) -> bool| {
        let rules: Vec<(&EgressRule, bool)> = about
            .iter()
            .filter(|(policy, _)| counts(policy.mode))
            .flat_map(|(policy, everyone)| policy.rules.iter().map(|rule| (rule, *everyone)))
            .collect();
        let found = |action| {
            let unknown = *source == Source::Unknown;
            rules.iter().any(|(rule, everyone)| rule.action == action && holds(rule, case, unknown && *everyone))
        };
        let has_list = rules.iter().any(|(rule, _)| rule.action == EgressAction::Allow);
        if found(EgressAction::Deny) {
            Verdict::Deny
        } else if found(EgressAction::Allow) || !(has_list || counts(config.default)) {
            Verdict::Allow
        } else {
            Verdict::Deny
        }
    };
    let enforced = verdict(&|mode| mode == EgressMode::Enforce);
    let is_in_shadow = takes(config.default) || about.iter().any(|(policy, _)| takes(policy.mode));
    (enforced, is_in_shadow.then(|| verdict(&|mode| mode == EgressMode::Enforce || takes(mode))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_those_of_the_plain_evaluator(
        config in a_config(),
        source in a_source(),
        cases in prop::collection::vec(a_case(), 1..8),
    ) {
        let policies = Policies::compile(&config);
        let egress = policies.of(&source);
        for case in &cases {
            let (ask, here) = (case.ask(), [case.address()]);
            let reached = if case.answered { reached(&here) } else { Reached { address: case.address(), answer: &[] } };
            let decision = egress.decide(&ask, &reached);
            let (verdict, shadow) = evaluate(&config, &source, case);
            prop_assert_eq!(decision.verdict, verdict, "{:?}", case);
            prop_assert_eq!(decision.shadow.as_ref().map(|shadow| shadow.verdict), shadow, "{:?}", case);

            // The rule that is named is of the policies, and says what was decided.
            if let Because::Rule { rule, .. } = &decision.because {
                let rule = &config.policies[&rule.policy].rules[rule.index as usize];
                prop_assert_eq!(rule.action == EgressAction::Allow, verdict == Verdict::Allow);
                prop_assert!(holds(rule, case, false));
            }
            // What is refused with less knowledge is refused with more.
            for early in [ask, Ask { spoken: Spoken::NotYet, ..ask }] {
                if case.spoken != 4 && matches!(egress.screen(&early), Screening::Refused(_)) {
                    prop_assert_eq!(verdict, Verdict::Deny, "{:?} was refused too early", case);
                }
            }
            // An explanation decides the same.
            prop_assert_eq!(egress.explain(&ask, Some(&reached)).decision, Some(decision));
        }
    }
}

//! The book: what is generated is current, what is promised to be there is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::{repository, run_to};

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reference_of_commands_is_current() {
    assert_eq!(
        read("docs/reference/cli.md"),
        run_to(0, &["reference"]).stdout,
        "write it anew: cargo run -p lychgate-cli -- reference > docs/reference/cli.md"
    );
}

#[test]
fn the_reference_of_data_planes_is_current() {
    assert_eq!(
        read("docs/reference/gateway.md"),
        run_to(0, &["reference", "gateway"]).stdout,
        "write it anew: cargo run -p lychgate-cli -- reference gateway > docs/reference/gateway.md"
    );
}

#[test]
fn the_reference_of_metrics_is_current() {
    assert_eq!(
        read("docs/reference/metrics.md"),
        run_to(0, &["reference", "metrics"]).stdout,
        "write it anew: cargo run -p lychgate-cli -- reference metrics > docs/reference/metrics.md"
    );
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = read("Cargo.toml");
    let (_, from) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let (table, _) = from.split_once("\n[").unwrap();
    let names: BTreeSet<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("lychgate-"))
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let members = ["gateway", "gateway/ir", "gateway/router", "gateway/filters", "gateway/engine", "control/api"];
    let more = [
        "gateway/feed",
        "gateway/telemetry",
        "control",
        "control/admission",
        "control/translate",
        "cli",
        "cli/echo",
        "cli/testkit",
    ];
    let manifests: String = members.iter().chain(&more).map(|member| read(format!("{member}/Cargo.toml"))).collect();
    let used = |name: &str| {
        let uses = [format!("\n{name}.workspace"), format!("\n{name} = {{ workspace")];
        uses.iter().any(|text| manifests.contains(text))
    };
    for name in &names {
        assert!(used(name), "nobody uses {name}: take it out of Cargo.toml");
    }
    let decision = read("docs/decisions/0001-dependencies.md");
    // The first cell of a row names one crate or several.
    let cells = decision.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let reasons: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split(['`', ',', ' '])).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, reasons, "left: Cargo.toml; right: docs/decisions/0001-dependencies.md");
}

/// A name of an end-to-end test or of a module of them, or a file.
fn is_tested(name: &str) -> bool {
    let root = repository();
    if name.contains('/') {
        return root.join(name).is_file();
    }
    let e2e = root.join("gateway/tests/e2e");
    let file = |module: &str| e2e.join(module.replace("::", "/") + ".rs");
    let of_module = |module: &str, test: &str| {
        let text = std::fs::read_to_string(file(module)).unwrap_or_default();
        text.contains(&format!("fn {test}()"))
    };
    file(name).is_file() || name.rsplit_once("::").is_some_and(|(module, test)| of_module(module, test))
}

#[test]
fn what_is_said_to_be_tested_is() {
    let page = read("docs/tested.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let names: Vec<&str> = rows
        .flat_map(|(_, tests)| tests.split(", "))
        .filter_map(|test| test.strip_prefix('`')?.strip_suffix('`'))
        .collect();
    assert!(names.len() > 60, "{names:?}");
    for name in &names {
        assert!(is_tested(name), "docs/tested.md: there is no test {name}");
    }
}

/// Markdown files under a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "book") {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Where the links and pictures of a page lead, as far as they stay in the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

#[test]
fn every_link_leads_somewhere() {
    let root = repository();
    let mut all = pages(&root.join("docs"));
    all.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)));
    for page in all {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{} links to {link}", page.display());
            // In the rendered book there is nothing beyond it.
            let target = target.canonicalize().unwrap();
            let stays = !page.starts_with(root.join("docs")) || target.starts_with(root.join("docs"));
            assert!(stays, "{} leaves the book for {link}", page.display());
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let docs = repository().join("docs");
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<PathBuf> = links(&summary).map(|link| docs.join(link)).collect();
    let there: BTreeSet<PathBuf> = pages(&docs).into_iter().filter(|page| !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, there);
}

#[test]
fn limits_are_those_of_the_engine() {
    // The page says what the code says: every field of `Limits`, with its default.
    let code = read("gateway/engine/src/limits.rs");
    let page = read("docs/limits.md");
    let fields = code.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let fields: Vec<&str> = fields.map(|(name, _)| name).collect();
    assert!(!fields.is_empty());
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "docs/limits.md says nothing of `{field}`");
    }
}

#[test]
fn fields_of_the_access_log_are_those_of_the_program() {
    let code = read("gateway/telemetry/src/access_log/field.rs");
    let page = read("docs/observability.md");
    let (_, list) = code.split_once("fields! {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let fields: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(fields.len() > 20, "{fields:?}");
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "docs/observability.md says nothing of `{field}`");
    }
}

#[test]
fn reasons_of_refusals_are_those_of_the_program() {
    let page = read("docs/errors.md");
    let reasons = run_to(0, &["reference", "reasons"]).stdout;
    let there: BTreeSet<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" | `") || line.starts_with("| `"))
        .collect();
    for row in reasons.lines() {
        assert!(
            there.contains(row),
            "docs/errors.md has no row\n{row}\nto see all: cargo run -p lychgate-cli -- reference reasons"
        );
    }
    let words: BTreeSet<&str> = reasons.lines().filter_map(|row| row.split('`').nth(1)).collect();
    assert!(words.len() > 10, "{words:?}");
    // And none that nobody knows: the first word in code of a row with five or four cells.
    let rows = page.lines().filter(|line| matches!(line.matches(" | ").count(), 3 | 4) && line.contains('`'));
    for row in rows {
        let word = row.split('`').nth(1).unwrap();
        assert!(words.contains(word), "docs/errors.md explains `{word}`, which the program does not know");
    }
}

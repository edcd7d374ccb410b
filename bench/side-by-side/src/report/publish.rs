//! The tables of a run in the book, between two marks, and its pictures beside the others.

use super::{Report, chart, markdown};
use anyhow::Context;
use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- bench: what is between these marks is written by `lychgate-bench publish` -->\n";
const END: &str = "<!-- bench: end -->\n";

pub(crate) fn publish(report: &Report, book: &Path) -> anyhow::Result<()> {
    let page = book.join("performance.md");
    let text = std::fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let charts = chart::all(report);
    let mut between = markdown(report);
    for chart in &charts {
        std::fs::write(book.join("pictures").join(&chart.name), &chart.svg)?;
        let _ = writeln!(between, "![{}](pictures/{})", chart.title, chart.name);
    }
    std::fs::write(&page, replaced(&text, &between).context("performance.md has no marks")?)?;
    Ok(())
}

fn replaced(page: &str, between: &str) -> Option<String> {
    let (ahead, rest) = page.split_once(BEGIN)?;
    let (_, behind) = rest.split_once(END)?;
    Some(format!("{ahead}{BEGIN}\n{between}\n{END}{behind}"))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced};

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("ahead\n{BEGIN}old{END}behind\n");
        assert_eq!(replaced(&page, "new").unwrap(), format!("ahead\n{BEGIN}\nnew\n{END}behind\n"));
        assert_eq!(replaced("no marks", "new"), None);
    }
}

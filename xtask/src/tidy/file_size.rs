//! A file is about one thing: short on the whole, and never very long.

use super::Violation;
use super::tree::Tree;

const LONGEST: usize = 800;
const LARGEST_MEDIAN: usize = 200;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = tree
        .sources()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| {
            let message = format!("{lines} lines, at most {LONGEST} allowed; split it by what its parts are about");
            Violation::new(path, LONGEST + 1, message)
        })
        .collect();
    let (median, _) = median(tree);
    if median > LARGEST_MEDIAN {
        let message = format!(
            "the median source file has {median} lines, at most {LARGEST_MEDIAN} allowed; split the files that are about several things"
        );
        violations.push(Violation::new(".", 1, message));
    }
    violations
}

/// One phrase on how long the files are.
pub(crate) fn summary(tree: &Tree) -> String {
    let (median, files) = median(tree);
    format!("median {median} lines in {files} source files")
}

fn median(tree: &Tree) -> (usize, usize) {
    let mut lengths: Vec<usize> = tree.sources().map(|(_, text)| text.lines().count()).collect();
    lengths.sort_unstable();
    (lengths.get(lengths.len() / 2).copied().unwrap_or(0), lengths.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> String {
        "x\n".repeat(count)
    }

    #[test]
    fn the_longest_allowed_file_passes_and_one_more_line_does_not() {
        let (short, edge, over) = (lines(1), lines(LONGEST), lines(LONGEST + 1));
        let sources = [("a.rs", short.as_str()), ("b.rs", &short), ("c.py", &edge)];
        assert_eq!(check(&Tree::of(&sources)), []);
        let violations = check(&Tree::of(&[("a.rs", &short), ("b.rs", &short), ("c.ts", &over)]));
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, "c.ts");
    }

    #[test]
    fn a_large_median_is_a_violation() {
        let large = lines(LARGEST_MEDIAN + 1);
        assert_eq!(check(&Tree::of(&[("a.rs", &large)])).len(), 1);
    }

    #[test]
    fn what_is_not_source_does_not_count() {
        let long = lines(LONGEST + 1);
        let tree = Tree::of(&[("a.md", long.as_str()), ("ui/dist/b.ts", &long)]);
        assert_eq!(check(&tree), []);
    }
}

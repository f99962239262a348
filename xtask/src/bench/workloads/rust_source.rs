//! Generated Rust source that takes a compiler a while.

/// A program of `modules` modules; each adds a share of generic code that is compiled out in full.
pub(crate) fn program(modules: usize) -> String {
    let mut text = String::new();
    for module in 0..modules {
        text.push_str(&source_of_module(module));
    }
    text.push_str("fn main() {\n    let mut sum = 0u64;\n");
    for module in 0..modules {
        text.push_str(&format!("    sum = sum.wrapping_add(m{module}::run());\n"));
    }
    text.push_str("    println!(\"{sum}\");\n}\n");
    text
}

fn source_of_module(module: usize) -> String {
    const FUNCTIONS: usize = 8;
    const TYPES: [&str; 6] = ["u8", "u16", "u32", "u64", "i32", "i64"];
    let mut text = format!("mod m{module} {{\n    use std::collections::BTreeMap;\n");
    let mut calls = String::new();
    for function in 0..FUNCTIONS {
        text.push_str(&format!(
            "    fn f{function}<T: Copy + Ord + std::fmt::Debug + Into<i128>>(values: &[T]) -> u64 {{
        let mut seen = BTreeMap::new();
        for (index, value) in values.iter().enumerate() {{
            seen.entry(*value).or_insert_with(Vec::new).push(index + {function});
        }}
        let mut sorted: Vec<(T, usize)> = seen.iter().map(|(value, at)| (*value, at.len())).collect();
        sorted.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        let text = format!(\"{{sorted:?}}\");
        let total: i128 = sorted.iter().map(|(value, count)| (*value).into() * *count as i128).sum();
        text.len() as u64 + (total as u64).wrapping_mul({module} + 1)
    }}\n"
        ));
        for kind in TYPES {
            calls.push_str(&format!("            .wrapping_add(f{function}::<{kind}>(&[3, 1, 2, 1]))\n"));
        }
    }
    text.push_str(&format!("    pub fn run() -> u64 {{\n        0u64\n{calls}    }}\n}}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn more_modules_make_more_source_and_all_are_called() {
        let (one, two) = (program(1), program(2));
        assert!(two.len() > one.len());
        assert!(two.contains("m0::run()") && two.contains("m1::run()"));
        assert_eq!(two.matches('{').count(), two.matches('}').count());
    }
}

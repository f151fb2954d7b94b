//! CSV, RFC 4180, guarded against the programs that open it.

/// One line.
///
/// # Errors
/// Never for memory; the writer's own.
pub fn line<I>(cells: I) -> Result<Vec<u8>, csv::Error>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells.into_iter().map(|text| cell(text.as_ref())))?;
    writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}

/// A cell that no spreadsheet runs: what begins with these characters is a formula to them, and the text comes from
/// tenants. See OWASP's page on CSV injection for the list.
#[must_use]
pub fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_quoted_and_everything_else_stays() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        for text in ["", "acme", "a=b", "'=1"] {
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn a_line_is_quoted_where_needed() {
        let text = line(["a", "b,c", "d\"e", "=f"]).expect("written");
        assert_eq!(String::from_utf8_lossy(&text), "a,\"b,c\",\"d\"\"e\",'=f\n");
    }
}

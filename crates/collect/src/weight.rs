//! What the value of a JSON text takes in memory, told before it is built: two bytes of `,0` become a value of some seventy,
//! and a server chooses what it sends.

/// How much more memory than bytes an answer may take, beside its own. Records as vendors send them take five to ten times
/// their bytes.
pub(crate) const MOST: u64 = 12;

/// A value, with the room that growing lists leave.
const VALUE: u64 = 100;
/// What an object takes with its first key.
const OBJECT: u64 = 350;
/// A key with its place in the object, beside the value's that follows it.
const KEY: u64 = 70;

/// About how many bytes the values of a text take, without those of its strings. For a text that is no JSON: some number.
pub(crate) fn weight(json: &[u8]) -> u64 {
    let mut sum = VALUE;
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            // What is counted is the comma before a value, or the bracket before the first.
            b',' | b'[' => sum += VALUE,
            b'{' => sum += VALUE + OBJECT,
            b':' => sum += KEY,
            _ => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_values_weigh_more_than_their_bytes() {
        let zeros = format!("[0{}]", ",0".repeat(1_000));
        assert!(weight(zeros.as_bytes()) > 40 * zeros.len() as u64);
        let objects = format!("[{{}}{}]", r#",{"":0}"#.repeat(1_000));
        assert!(weight(objects.as_bytes()) > 60 * objects.len() as u64);
    }

    #[test]
    fn what_stands_in_a_string_weighs_nothing() {
        let text = r#""[[[,,,{{{:::\",,,\\""#;
        assert_eq!(weight(text.as_bytes()), weight(b"1"));
        assert_eq!(weight(format!("[{text},1]").as_bytes()), weight(b"[1,2]"));
    }

    #[test]
    fn records_as_vendors_send_them_are_light_enough() {
        let record = r#"{"id": 583231, "login": "octocat", "type": "User", "site_admin": false, "teams": ["core", "web"],
            "url": "https://api.example.com/users/octocat", "created_at": "2011-01-25T18:44:36Z"}"#;
        let answer = format!("[{}]", vec![record; 1_000].join(","));
        assert!(
            weight(answer.as_bytes()) < MOST * answer.len() as u64,
            "{}",
            weight(answer.as_bytes()) / 1_000
        );
    }
}

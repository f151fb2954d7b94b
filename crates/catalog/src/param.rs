//! Parameters of checks: what may be set in place of a default.

use model::value::{Type, Value};

use crate::check::Param;

/// Most characters of a text, and of each text of a list.
const LONGEST: usize = 200;
/// Most texts of a list.
const MOST: usize = 200;
/// The largest number: as seconds some 30 years, and far from where sums overflow.
const LARGEST: i64 = 1_000_000_000;

impl Param {
    /// A value as people enter it: a number, `true` or `false` (`yes` or `no`), a text; a list of texts parted by commas or lines.
    /// A number is not negative where the default is not.
    ///
    /// # Errors
    /// What is wanted in its place, in a sentence without its end.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match (&self.kind, &self.default) {
            (Type::Bool, _) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" => Ok(Value::Bool(true)),
                "false" | "no" => Ok(Value::Bool(false)),
                _ => Err(format!("\u{201c}{text}\u{201d} is neither true nor false")),
            },
            (Type::Int, default) => {
                let number: i64 =
                    text.parse().map_err(|_| format!("\u{201c}{text}\u{201d} is not a whole number"))?;
                let least = if matches!(default, Value::Int(n) if *n < 0) { -LARGEST } else { 0 };
                if !(least..=LARGEST).contains(&number) {
                    return Err(format!("{number} is not between {least} and {LARGEST}"));
                }
                Ok(Value::Int(number))
            }
            (Type::Double, default) => {
                let number: f64 =
                    text.parse().map_err(|_| format!("\u{201c}{text}\u{201d} is not a number"))?;
                let least = if matches!(default, Value::Double(n) if *n < 0.0) { -1e9 } else { 0.0 };
                // Neither infinity nor what is no number lies between them.
                if !(least..=1e9).contains(&number) {
                    return Err(format!("{number} is not between {least} and {LARGEST}"));
                }
                Ok(Value::Double(number))
            }
            (Type::String, _) => word(text).map(Value::string),
            (Type::List(_), _) => {
                let parts = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
                let parts = parts.map(|part| word(part).map(Value::string)).collect::<Result<Vec<_>, _>>()?;
                match parts.len() {
                    0 => Err("the list is empty".to_owned()),
                    n if n > MOST => Err(format!("the list has {n} entries, at most {MOST} can be kept")),
                    _ => Ok(Value::list(parts)),
                }
            }
            // The loader lets no other type through.
            _ => Err("this parameter cannot be set".to_owned()),
        }
    }

    /// What is kept for a value that [`Param::read`] made.
    #[must_use]
    pub fn keep(&self, value: &Value) -> serde_json::Value {
        value.to_json(&self.kind)
    }

    /// What was kept. Of another type, since the check has changed meanwhile, it is unknown, and with it what hangs on it: nobody
    /// has chosen the default.
    #[must_use]
    pub fn kept(&self, json: &serde_json::Value) -> Value {
        Value::from_json(json, &self.kind)
    }

    /// What kind of value is wanted, in words.
    #[must_use]
    pub fn wants(&self) -> &'static str {
        match &self.kind {
            Type::Bool => "true or false",
            Type::Int => "a whole number",
            Type::Double => "a number",
            Type::List(_) => "texts, parted by commas",
            _ => "a text",
        }
    }
}

fn word(text: &str) -> Result<&str, String> {
    match text.chars().count() {
        0 => Err("the text is empty".to_owned()),
        n if n > LONGEST => Err(format!("the text has {n} characters, at most {LONGEST} can be kept")),
        _ if text.chars().any(char::is_control) => {
            Err("the text has characters that cannot be shown".to_owned())
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(default: Value) -> Param {
        let kind = match &default {
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Double(_) => Type::Double,
            Value::List(_) => Type::List(Box::new(Type::String)),
            _ => Type::String,
        };
        Param { kind, default }
    }

    #[test]
    fn what_is_entered_is_of_the_declared_type_or_refused() {
        let texts = |items: &[&str]| Value::list(items.iter().map(|i| Value::string(*i)).collect());
        for (default, text, expected) in [
            (Value::Int(3), " 12 ", Ok(Value::Int(12))),
            (Value::Int(3), "0", Ok(Value::Int(0))),
            (Value::Int(3), "-1", Err("-1 is not between 0 and 1000000000")),
            (Value::Int(-3), "-1", Ok(Value::Int(-1))),
            (Value::Int(3), "1000000001", Err("1000000001 is not between 0 and 1000000000")),
            (Value::Int(3), "3.5", Err("\u{201c}3.5\u{201d} is not a whole number")),
            (Value::Int(3), "", Err("\u{201c}\u{201d} is not a whole number")),
            (Value::Double(0.5), "0.25", Ok(Value::Double(0.25))),
            (Value::Double(0.5), "inf", Err("inf is not between 0 and 1000000000")),
            (Value::Double(0.5), "NaN", Err("NaN is not between 0 and 1000000000")),
            (Value::Bool(true), "No", Ok(Value::Bool(false))),
            (Value::Bool(true), "0", Err("\u{201c}0\u{201d} is neither true nor false")),
            (Value::string("prod"), "live", Ok(Value::string("live"))),
            (Value::string("prod"), "  ", Err("the text is empty")),
            (Value::string("prod"), "a\u{7}b", Err("the text has characters that cannot be shown")),
            (texts(&["a"]), "b, c,,\nd", Ok(texts(&["b", "c", "d"]))),
            (texts(&["a"]), " , ", Err("the list is empty")),
        ] {
            let param = param(default);
            let read = param.read(text);
            assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
            if let Ok(value) = read {
                assert_eq!(param.kept(&param.keep(&value)), value, "{text:?}");
            }
        }
        assert!(param(Value::string("a")).read(&"x".repeat(LONGEST + 1)).is_err());
        assert!(param(texts(&["a"])).read(&vec!["x"; MOST + 1].join(",")).is_err());
        // A check whose parameter has another type now.
        assert_eq!(param(Value::Int(3)).kept(&serde_json::json!("many")), Value::Unknown);
    }
}

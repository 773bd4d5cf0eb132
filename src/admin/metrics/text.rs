//! The two text forms that Prometheus reads. The library for them knows only the newer one, which tools of today's
//! distributions do not read, and makes the whole text at once.

use std::fmt::Write;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// What a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

/// Samples of one name and one meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// As in queries: a counter's ends with `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// In which form the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Prometheus text, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// What a client asks for; the older form when it asks for nothing.
    pub(super) fn asked(headers: &HeaderMap) -> Form {
        let accepts = |value: &axum::http::HeaderValue| {
            value.to_str().is_ok_and(|text| text.contains("application/openmetrics-text"))
        };
        if headers.get_all(ACCEPT).iter().any(accepts) { Form::OpenMetrics } else { Form::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::Text => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What ends the answer.
    pub(super) fn end(self) -> &'static str {
        match self {
            Form::Text => "",
            Form::OpenMetrics => "# EOF\n",
        }
    }

    /// Begins a family; its samples follow.
    pub(super) fn begin(self, out: &mut String, family: &Family) {
        let name = match self {
            Form::Text => family.name,
            Form::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
        };
        // Writing to a String does not fail.
        let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {}\n", family.help, family.kind.name());
    }
}

/// Adds a sample.
pub(super) fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    out.push_str(name);
    for (index, (label, text)) in labels.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    // Writing to a String does not fail.
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_one_line_whatever_its_labels_hold() {
        let mut out = String::new();
        sample(&mut out, "a", &[("x", "q\"\\\nü{},"), ("y", "")], 9_007_199_254_740_992.0);
        sample(&mut out, "b", &[], 0.25);
        assert_eq!(out, "a{x=\"q\\\"\\\\\\nü{},\",y=\"\"} 9007199254740992\nb 0.25\n");
    }
}

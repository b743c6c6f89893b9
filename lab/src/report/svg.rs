//! Writes SVG, and text that is safe in it.

use std::fmt::Write as _;

/// A picture that grows; colours come from the page's style sheet by class.
#[derive(Debug, Clone, Default)]
pub struct Svg {
    body: String,
}

/// Where a text begins.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// A rectangle with its explanation, which a browser shows under the pointer.
    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), title: &str) {
        let ((x, y), (width, height)) = (at, size);
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}""#,
            width.max(0.0)
        );
        self.end("rect", title);
    }

    /// A dot.
    pub fn dot(&mut self, class: &str, at: (f64, f64), radius: f64, title: &str) {
        let _ =
            write!(self.body, r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="{radius:.1}""#, at.0, at.1);
        self.end("circle", title);
    }

    /// A closed shape.
    pub fn shape(&mut self, class: &str, points: &[(f64, f64)], title: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.body, r#"<polygon class="{class}" points="{}""#, points.join(" "));
        self.end("polygon", title);
    }

    /// A text.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        );
    }

    /// Puts another picture over this one.
    pub fn append(&mut self, other: Self) {
        self.body += &other.body;
    }

    fn end(&mut self, name: &str, title: &str) {
        let _ = match title {
            "" => writeln!(self.body, "/>"),
            title => writeln!(self.body, "><title>{}</title></{name}>", escape(title)),
        };
    }

    /// The whole picture; `label` is what it shows, for those who can't see it.
    #[must_use]
    pub fn finish(self, width: f64, height: f64, label: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            escape(label),
            self.body
        )
    }
}

/// Text as it may stand in HTML and XML, also in an attribute. What XML has no place for becomes a question mark.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

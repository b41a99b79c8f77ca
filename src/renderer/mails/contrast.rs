//! Tests: every text of a mail can be read, in each of the colours that programs make of it (WCAG 2.2, 1.4.3: at least 4.5 to 1).

use super::super::raw::{self, Piece};
use super::tests::{confirmation, digest, issue};

type Colour = [f64; 3];

fn parsed(text: &str) -> Option<Colour> {
    let hex = text.trim().strip_prefix('#').filter(|hex| hex.len() == 6)?;
    let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok().map(|value| f64::from(value) / 255.0);
    Some([channel(0)?, channel(2)?, channel(4)?])
}

fn luminance(colour: Colour) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

fn lightness(colour: Colour) -> f64 {
    let (low, high) = colour.iter().fold((1.0_f64, 0.0_f64), |(low, high), c| (low.min(*c), high.max(*c)));
    f64::midpoint(low, high)
}

/// The same hue and saturation with light and dark exchanged: mirrored in HSL.
fn inverted(colour: Colour) -> Colour {
    let shift = 1.0 - 2.0 * lightness(colour);
    colour.map(|c| (c + shift).clamp(0.0, 1.0))
}

/// What a program makes of the colours of text and background.
type Program = fn(Colour, Colour) -> (Colour, Colour);

const PROGRAMS: [(&str, Program); 3] = [
    ("as it is", |text, ground| (text, ground)),
    // Gmail on iOS, Outlook for Windows.
    ("fully inverted", |text, ground| (inverted(text), inverted(ground))),
    // Gmail on Android, Outlook.com: dark stays dark and light text stays light.
    ("partly inverted", |text, ground| {
        let text = if lightness(text) < 0.5 { inverted(text) } else { text };
        (text, if lightness(ground) > 0.5 { inverted(ground) } else { ground })
    }),
];

fn declared(style: &str, property: &str) -> Option<Colour> {
    let declarations = style.split(';').filter_map(|declaration| declaration.split_once(':'));
    let value = declarations.filter(|(name, _)| name.trim() == property).map(|(_, value)| value).next_back()?;
    parsed(value.trim().trim_end_matches("!important"))
}

/// Each text with its colour and that of its background.
fn texts(html: &str) -> Vec<(String, Colour, Colour)> {
    let mut open = vec![(String::new(), [0.0; 3], [1.0; 3], true)];
    let mut texts = Vec::new();
    for piece in raw::read(html) {
        let (_, text, ground, seen) = open.last().unwrap().clone();
        match piece {
            Piece::Text(words) if seen && !matches!(words.trim(), "" | "&nbsp;") => {
                texts.push((words.trim().to_owned(), text, ground))
            }
            Piece::Text(_) => {}
            Piece::Open(tag, attributes) => {
                if matches!(tag.as_str(), "br" | "hr" | "img" | "wbr" | "meta") {
                    continue;
                }
                let value =
                    |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| raw::decode(value));
                let style = value("style").unwrap_or_default();
                let ground = declared(&style, "background-color")
                    .or(value("bgcolor").and_then(|c| parsed(&c)))
                    .unwrap_or(ground);
                let text = declared(&style, "color").unwrap_or(text);
                open.push((tag, text, ground, seen && !style.contains("display:none")));
            }
            Piece::Close(tag) => {
                let (name, ..) = open.pop().unwrap();
                assert_eq!(name, tag, "{html}");
            }
        }
    }
    texts
}

/// The mail with its rules for dark mode applied.
fn dark(html: &str) -> String {
    let rules = html.split("(prefers-color-scheme: dark) {").nth(1).unwrap().split("\n}").next().unwrap();
    super::inline::document(&html.replace("</head>", &format!("<style>{rules}</style></head>")), "dark").unwrap()
}

#[test]
fn every_text_can_be_read_in_the_colours_of_every_program() {
    let mut one = issue("March");
    one.html = "<h2>H</h2><p>p <a href=\"https://x/\">a</a> <code>c</code> <kbd>k</kbd> <mark>m</mark></p><pre><code>c</code></pre>\
        <blockquote><p>q <a href=\"https://x/\">a</a> <code>c</code></p></blockquote><table><tr><th>h</th><td>d</td></tr></table>"
        .to_owned();
    let mut correction = one.clone();
    correction.title = "Correction".to_owned();
    for html in [digest(vec![one.clone()]).html, digest(vec![one.clone(), correction]).html, confirmation().html] {
        let dark = dark(&html);
        assert_ne!(texts(&dark)[1].1, texts(&html)[1].1, "dark mode changes something");
        for (program, colours) in PROGRAMS {
            for (words, text, ground) in texts(&html) {
                let (text, ground) = colours(text, ground);
                let contrast = contrast(text, ground);
                assert!(contrast >= 4.5, "{program}: {contrast:.2} for {words:?}: {text:?} on {ground:?}");
            }
        }
        for (words, text, ground) in texts(&dark) {
            let contrast = contrast(text, ground);
            assert!(contrast >= 4.5, "dark: {contrast:.2} for {words:?}: {text:?} on {ground:?}");
        }
    }
}

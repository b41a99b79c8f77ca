//! OPML 2.0 (opml.org/spec2.opml): lists of feeds that a reader takes in at once.

use std::fmt::Write as _;

use super::text::{attribute, line};

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outline {
    /// A feed.
    Feed {
        /// Its title.
        title: String,
        /// The URL of the feed.
        feed: String,
        /// The URL of its page.
        home: String,
        /// BCP 47 tag.
        language: String,
    },
    /// A folder of feeds.
    Folder {
        /// Its name.
        title: String,
        /// What is in it.
        outlines: Vec<Outline>,
    },
}

/// Writes a list.
#[must_use]
pub fn write(title: &str, outlines: &[Outline]) -> Vec<u8> {
    let title = attribute(&line(title));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n  <head>\n    <title>{title}</title>\n  </head>\n  <body>\n"
    );
    for outline in outlines {
        write_outline(&mut text, outline, 4);
    }
    text.push_str("  </body>\n</opml>\n");
    text.into_bytes()
}

fn write_outline(text: &mut String, outline: &Outline, indent: usize) {
    // Writing to memory cannot fail.
    let _ = match outline {
        // `rss` says that it is a feed, of whatever format.
        Outline::Feed { title, feed, home, language } => writeln!(
            text,
            "{:indent$}<outline type=\"rss\" text=\"{title}\" title=\"{title}\" xmlUrl=\"{}\" htmlUrl=\"{}\" language=\"{}\"/>",
            "",
            attribute(feed),
            attribute(home),
            attribute(&line(language)),
            title = attribute(&line(title)),
        ),
        Outline::Folder { title, outlines } => {
            let _ = writeln!(text, "{:indent$}<outline text=\"{}\">", "", attribute(&line(title)));
            outlines.iter().for_each(|outline| write_outline(text, outline, indent + 2));
            writeln!(text, "{:indent$}</outline>", "")
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_with_its_folders_and_nothing_breaks_out_of_an_attribute() {
        let feed = Outline::Feed {
            title: "A \"b\" <c> & \u{0}d".into(),
            feed: "https://example.org/atom.xml?a&b".into(),
            home: "https://example.org/".into(),
            language: "en".into(),
        };
        let folder = Outline::Folder { title: "Tags".into(), outlines: vec![feed] };
        let written = String::from_utf8(write("All <feeds>", &[folder])).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n  <head>\n    <title>All &lt;feeds&gt;</title>\n  </head>\n  \
             <body>\n    <outline text=\"Tags\">\n      <outline type=\"rss\" text=\"A &quot;b&quot; &lt;c&gt; &amp; d\" \
             title=\"A &quot;b&quot; &lt;c&gt; &amp; d\" xmlUrl=\"https://example.org/atom.xml?a&amp;b\" \
             htmlUrl=\"https://example.org/\" language=\"en\"/>\n    </outline>\n  </body>\n</opml>\n";
        assert_eq!(written, expected);
    }
}

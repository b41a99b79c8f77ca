//! A table for each site generator, code, reports, and documents that nobody would write.

use super::*;

/// Cleans each text, compares it, and cleans it again, which must change nothing.
/// `«x»` stands for an x that is quoted.
fn table(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let parts = expected.split(['«', '»']).enumerate();
        let expected: String =
            parts.map(|(at, part)| if at % 2 == 1 { walk::quoted(part) } else { part.to_owned() }).collect();
        let cleaned = clean(text).text;
        assert_eq!(cleaned, expected, "{text}");
        assert_eq!(clean(&cleaned).text, cleaned, "cleaned twice: {text}");
    }
}

fn notes(text: &str) -> Vec<(u32, String, Fate)> {
    clean(text).dropped.into_iter().map(|dropped| (dropped.line, dropped.what, dropped.fate)).collect()
}

#[test]
fn hugo() {
    table(&[
        ("a {{< info >}}b{{< /info >}} c", "a b c"),
        ("a\n\n{{% notice tip %}}\n*b*\n{{% /notice %}}\nc", "a\n\n\n*b*\n\nc"),
        ("{{< figure src=\"a b.png\" alt=\"x \\\"y\\\"\" >}}", "<img src=\"a b.png\" alt=\"x &quot;y&quot;\">"),
        (
            "a\n{{< figure src=\"a.png\" caption=\"The **b**\" link=\"/c\" attr=\"D\" attrlink=\"https://d.example\" >}}\ne",
            "a\n\n<a href=\"/c\"><img src=\"a.png\" alt=\"\"></a><br>The **b** <a href=\"https://d.example\">D</a>\n\ne",
        ),
        ("- {{< figure\n  src=\"a.png\" >}}", "- <img src=\"a.png\" alt=\"\">"),
        ("[a]({{< ref \"blog/b c.md#d\" >}})", "[a](document:blog/b%20c.md#d)"),
        ("[a]: {{% relref path=\"b.md\" %}}", "[a]: document:b.md"),
        ("see {{< ref \"blog/b.md\" >}}", "see [b.md](document:blog/b.md)"),
        (
            "{{< highlight rust \"linenos=table\" >}}\nlet a = \"{{ b }}\";\n\n    `c`\n{{< /highlight >}}\nd",
            "```rust\nlet a = \"{{ b }}\";\n\n    `c`\n```\nd",
        ),
        ("{{< highlight md >}}\n```\n{{< /highlight >}}", "````md\n```\n````"),
        ("a {{< highlight go >}}b{{< /highlight >}} c", "a `b` c"),
        (
            "{{< youtube w7Ft2ymGmfc >}}",
            "<a href=\"https://www.youtube.com/watch?v=w7Ft2ymGmfc\">www.youtube.com/watch?v=w7Ft2ymGmfc</a>",
        ),
        ("{{< vimeo id=\"1\" >}}", "<a href=\"https://vimeo.com/1\">vimeo.com/1</a>"),
        ("{{< tweet user=\"a\" id=\"1\" >}}", "<a href=\"https://twitter.com/a/status/1\">twitter.com/a/status/1</a>"),
        ("{{< gist a b >}}", "<a href=\"https://gist.github.com/a/b\">gist.github.com/a/b</a>"),
        ("{{< youtube \"x\\\"><b\" >}} a", "a"),
        ("{{</* figure src=\"a\" */>}}", "«{{< figure src=\"a\" >}}»"),
        ("{{%/* a */%}}", "«{{% a %}}»"),
        ("a {{< comment >}}\n\n    b\n\n{{< /comment >}} c", "a\n\n\n\nc"),
        ("{{< gallery >}}\n    {{< figure src=\"a\" >}}\n    b\n{{< /gallery >}}", "\n<img src=\"a\" alt=\"\">\n\nb\n"),
        ("a {{< b\n\nc", "a b\n\nc"),
        ("## A {#b}\n\n{.c}\nd {#e}", "## A <a id=\"b\"></a>\n\nd {#e}"),
    ]);
}

#[test]
fn zola() {
    table(&[
        ("a {{ b(c=\"d\") }} e", "a e"),
        (
            "{{ youtube(id=\"x\", class=\"y\") }}",
            "<a href=\"https://www.youtube.com/watch?v=x\">www.youtube.com/watch?v=x</a>",
        ),
        ("{{ image(src=\"a.png\", alt=\"b\") }}", "<img src=\"a.png\" alt=\"b\">"),
        ("{% quote(author=\"a\") %}\nb *c*\n{% end %}", "\nb *c*\n"),
        ("[a](@/b/c.md#d)", "[a](@/b/c.md#d)"),
        ("a {# b #} c", "a c"),
    ]);
}

#[test]
fn liquid() {
    table(&[
        ("a {{ page.title | escape }}, b", "a , b"),
        ("[a]({{ site.baseurl }}/b.png)", "[a](/b.png)"),
        ("![a]({{ \"/b.png\" | absolute_url }})", "![a](/b.png)"),
        ("[a]({{ site.url }}{% post_url 2026-01-02-b %})", "[a](document:2026-01-02-b)"),
        ("[a]({% link _posts/2026-01-02-b.md %})", "[a](document:_posts/2026-01-02-b.md)"),
        ("a {{ \"{{\" }} b", "a «{{» b"),
        (
            "{% raw %}\n```\n{{ a }}\n```\n{{ b }} {% if c %}\n{% endraw %}{{ d }}e",
            "\n```\n{{ a }}\n```\n«{{ b }}» «{% if c %}»\ne",
        ),
        ("{% highlight rust linenos %}\nlet a = `b`;\n{% endhighlight %}", "```rust\nlet a = `b`;\n```"),
        ("> {%- highlight c -%}\n> a\n> {%- endhighlight -%}\n> b", "> ```c\n> a\n> ```\n> b"),
        ("a\n{% comment %}\n{% include b %}\n\n{% endcomment %}\nc", "a\n\n\n\n\nc"),
        ("a {% b c %} d {% endb %}", "a d"),
        ("{% youtube abc %}", "<a href=\"https://www.youtube.com/watch?v=abc\">www.youtube.com/watch?v=abc</a>"),
        ("{% for a in b %}\n- c\n{% endfor %}", "\n- c\n"),
        ("{{{ a }}} b", "b"),
        ("50{% off", "50 off"),
        ("a {{ b\n\nc }} d", "a {{ b\n\nc }} d"),
        ("\\{{ a }} \\{% b %} \\\\{{ c }}d", "«{{ a }}» «{% b %}» \\\\d"),
    ]);
}

#[test]
fn kramdown() {
    table(&[
        ("* TOC\n{:toc}\n\na", "\na"),
        ("a\n{: .b #c d=\"e f\"}\n\ng", "a\n\ng"),
        ("[a](b){:target=\"_blank\"} c", "[a](b) c"),
        ("## A {: .no_toc }\nb", "## A\nb"),
        ("* a\n{:.b}\n* c", "* a\n* c"),
        ("{::options toc_levels=\"1\" /}\na {::comment}b{:/comment}c", "\na c"),
        ("{:ok, a} and {:error, b} and {.a, b}", "{:ok, a} and {:error, b} and {.a, b}"),
    ]);
}

#[test]
fn vuepress() {
    table(&[
        ("a\n::: tip\nb\n:::\nc", "a\n\n> [!TIP]\n> b\n\nc"),
        (
            ":::warning Mind the *gap*\n\n- a\n\n      b\n:::\n",
            "> [!WARNING]\n> **Mind the gap**\n>\n>\n> - a\n>\n>       b\n",
        ),
        ("::: danger\n```\n::: a\n```\n:::", "> [!CAUTION]\n> ```\n> ::: a\n> ```\n"),
        (":::: info\n::: note\na\n:::\nb\n::::\nc", "> [!NOTE]\n>\n> > [!NOTE]\n> > a\n>\n> b\n\nc"),
        ("::: details A <b>\n*c*\n:::\nd", "<details><summary>A &lt;b&gt;</summary>\n\n*c*\n\n</details>\n\nd"),
        ("::: code-group\n```js\na\n```\n:::\nb", "```js\na\n```\n\nb"),
        (":::tip[A title]{a=b}\nb\n:::", "> [!TIP]\n> **A title**\n>\n> b\n"),
        ("::: {.note}\na\n:::", "> [!NOTE]\n> a\n"),
        ("1. a\n   ::: tip\n   b\n   :::\n\n2. c", "1. a\n\n   > [!TIP]\n   > b\n\n2. c"),
        ("1. a\n   ::: tip\n   b\n\nc", "1. a\n\n   > [!TIP]\n   > b\n   >\nc"),
        ("> ::: tip A\n> b\n> :::", "> A\n> b\n>"),
        (":::\na", "a"),
        ("[[toc]]\n\na [[toc]]\n[[TOC]]", "\n\na [[toc]]\n"),
        ("## A <Badge text=\"b & c\" type=\"tip\"/>", "## A b &amp; c"),
        (
            "# A <JumpToc/>\n<PrBy :pr=\"1\"\n  user=\"b\" />\n\n<Tip @click=\"a > b\">c</Tip> <my-tag>d</my-tag>",
            "# A\n\n\nc d",
        ),
        ("Vec<String> and a <B and c> d <Em@example.org>", "Vec<String> and a <B and c> d <Em@example.org>"),
        ("<<< @/a.js\nb", "\nb"),
    ]);
}

#[test]
fn comments_and_mdx() {
    table(&[
        (
            "a <!-- {{ b }} --> c\n\n<!-- d\n\n{% include e %}\n-->\n{{ f }}",
            "a <!-- {{ b }} --> c\n\n<!-- d\n\n{% include e %}\n-->\n",
        ),
        ("a\n<!--more-->\nb", "a\n<!--more-->\nb"),
        ("a <!-- b\n\nc --> d", "a\n\nd"),
        ("<div>\n<!-- a\n\nb -->\n</div>", "<div>\n\n\n\n</div>"),
        ("a <!-- b", "a b"),
        ("a <script>b {{ c }}</script> d <style\n>e</style> f", "a d\nf"),
        ("<p>a<script>\n\nb</script></p>", "<p>a\n\n</p>"),
        ("<!-- a\n\n{{< b >}}", "<!-- a\n\n{{< b >}}"),
        ("import A from 'a'\nimport {\n  B\n} from \"b\";\nexport const c = 1;\n\nd {/* e */} f", "\n\n\n\n\n\nd f"),
        ("import duties rose from 'zero' to ten\n\na", "import duties rose from 'zero' to ten\n\na"),
        ("a\n\nimport A from 'a'", "a\n\nimport A from 'a'"),
    ]);
}

#[test]
fn code_is_left_alone() {
    for text in [
        "a `{{< b >}}` ``{% c ` %}`` `:::` `<!-- d -->`",
        "```md\n{{< a >}}\n::: tip\n<!-- b -->\n<Badge text=\"x\"/>\n[[toc]]\n{: .c}\n```",
        "~~~\n{% include a %}\n~~~",
        "a\n\n    {{ b }}\n    ::: c\n\n- d\n\n      {% e %}",
        "<pre>\n{{ a }}\n\n{% b %}\n</pre>",
        "a <code>{{ b }}</code>",
        "> ```\n> {% a %}\n> ```",
        "a\\\nb \\* c \\` {d} {e: f} <https://g.example> <b>h</b> i::j",
    ] {
        let cleaned = clean(text);
        assert_eq!(cleaned.text, text);
        assert_eq!(cleaned.dropped, []);
    }
}

#[test]
fn what_is_dropped_is_told_with_its_line() {
    let text = "a\n{{< info >}}\n{{< figure src=\"x\" >}}\n\n{{ page.x }}\n{% foo %}\n<Toc/>\n<script>\n</script>\n{% for a in b %}\n<!-- c";
    let told = notes(text);
    let expected = [
        (2, "the shortcode `info`", Fate::LeftOut),
        (3, "the shortcode `figure`", Fate::Replaced),
        (5, "the variable `page.x`", Fate::LeftOut),
        (6, "the template tag `foo`", Fate::LeftOut),
        (7, "the component `<Toc>`", Fate::LeftOut),
        (8, "a `<script>` element", Fate::LeftOut),
        (10, "the template tag `{% for a in b %}`", Fate::NeedsGenerator),
        (11, "everything after a `<!--` that is not closed", Fate::LeftOut),
    ];
    assert_eq!(told.iter().map(|(line, what, fate)| (*line, what.as_str(), *fate)).collect::<Vec<_>>(), expected);
    let many = clean(&"{{ a }} ".repeat(7)).dropped;
    assert_eq!(many.iter().map(|dropped| dropped.times).collect::<Vec<_>>(), [7]);
}

#[test]
fn the_record_is_bounded_and_the_reason_to_hold_is_in_it() {
    let text: String = (0..1000).map(|n| format!("{{{{ a{n} }}}} ")).collect();
    let told = notes(&(text + "{% include x %}"));
    assert_eq!(told.len(), 65);
    assert!(told.iter().any(|(_, _, fate)| *fate == Fate::NeedsGenerator));
}

/// Pieces that generators, Markdown and HTML give a meaning.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{<",
    ">}}",
    "{{%",
    "%}}",
    "{%",
    "%}",
    "{#",
    "#}",
    ":::",
    "::: tip\n",
    "\n",
    "\n\n",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<Foo",
    "/>",
    ">",
    "<",
    "{",
    "}",
    "`",
    "```\n",
    "\\",
    "    ",
    "a",
    " ",
    "x(",
    ")",
    "\"",
    "{% raw %}",
    "{% endraw %}",
    "{% highlight c %}",
    "{% endhighlight %}",
    "{{< highlight c >}}",
    "{{< /highlight >}}",
    "[a](",
    "- ",
    "> ",
    "{:.b}",
    "figure src=",
    "<pre>",
    "</pre>",
    "<b>",
    "*",
    "&lt;",
    "&#123;",
    ":",
    "%",
    "!--",
    "![",
    "{% comment %}",
    "{% endcomment %}",
    "<code>",
    "</code>",
    "|",
    "# ",
    "[[toc]]",
    "site.url",
    "import a from 'b'\n",
];

#[test]
fn no_mark_reaches_a_reader_whatever_is_put_together() {
    let mut state = 1_u64;
    let mut next = || {
        // A linear congruential generator: the same texts on every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    for round in 0..1500 {
        let text: String = (0..2 + round % 40).map(|_| PIECES[next() % PIECES.len()]).collect();
        super::super::tests::assert_no_marks(&text);
    }
}

#[test]
fn hostile_documents_take_linear_time() {
    // Each was linear from 64 KiB to 1 MiB; what grows with the square would stand out at this size already.
    let much = |unit: &str| unit.repeat((1 << 16) / unit.len());
    for unit in [
        "{{",
        "{%",
        "{#",
        "{:",
        "{.",
        ":::",
        ":::a\n",
        "::: tip\n",
        "> :::",
        "{{< ",
        "{{% ",
        "{{< a >}}",
        "{% a %}",
        "{% raw %}",
        "{% highlight a %}",
        "{{< highlight a >}}",
        "{% comment %}",
        "{{ a }}",
        "<!--",
        "<!--\n\n",
        "<Aa ",
        "<Aa \"",
        "<Aa {",
        "<script>",
        "<script>\n\n",
        "<code>\n\n",
        "<code>",
        "[[toc]]\n",
        "\\{{",
        "{{ \"",
        "<<< a\n",
        "<a-b>",
        "<ul v-for=",
        "{{<a\n\n",
        "import {\n",
        "a{{b}}",
        "[a]: {{b}}",
        "[a{{b}}",
        "{::comment}",
        "  ::: a\n ",
        "- {:toc}\n",
        "{:toc}\n",
    ] {
        let text = much(unit);
        let cleaned = clean(&text);
        assert!(cleaned.text.len() < 3 * text.len() && cleaned.dropped.len() < 70, "{unit}");
    }
}

//! The languages that code can be coloured in: what is a comment, a string and a word of the language in each.

/// How a language is read.
#[derive(Debug)]
pub(super) struct Language {
    /// The names that an editor may write behind a fence, separated by spaces.
    pub names: &'static str,
    /// What starts a comment that ends with the line.
    pub line: &'static [&'static str],
    /// What starts and what ends a comment.
    pub block: &'static [(&'static str, &'static str)],
    /// What encloses a string; the longest first.
    pub quotes: &'static [&'static str],
    /// Its words, separated by spaces.
    pub words: &'static str,
    /// How the rest is read.
    pub style: Style,
}

/// What languages do beside comments, strings and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Names with a capital are types, names before a parenthesis functions.
    Program,
    /// As `Program`, and `'` may also begin a lifetime or end a name.
    Ticks,
    /// `$name` is a variable, `--name` an option.
    Shell,
    /// A name before `:` or `=` is a key.
    Keys,
    /// Names may have hyphens, and no case that means something.
    Hyphens,
    /// Words in any case.
    Caseless,
    /// Tags with attributes.
    Markup,
    /// Lines that were added and taken away.
    Diff,
    /// A shell's input after a prompt, between its output.
    Session,
}

const C: &[(&str, &str)] = &[("/*", "*/")];
const QUOTES: &[&str] = &["\"", "'"];
const TRIPLE: &[&str] = &["\"\"\"", "'''", "\"", "'"];
const TEMPLATE: &[&str] = &["`", "\"", "'"];

const fn language(
    names: &'static str,
    style: Style,
    line: &'static [&'static str],
    block: &'static [(&'static str, &'static str)],
    quotes: &'static [&'static str],
    words: &'static str,
) -> Language {
    Language { names, line, block, quotes, words, style }
}

/// By name, whatever its case.
pub(super) fn named(name: &str) -> Option<&'static Language> {
    let name = name.to_ascii_lowercase();
    LANGUAGES.iter().find(|language| language.names.split(' ').any(|known| known == name))
}

const LANGUAGES: &[Language] = &[
    language(
        "rust rs",
        Style::Ticks,
        &["//"],
        C,
        &["\""],
        "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type union unsafe use where while yield",
    ),
    language(
        "c cpp c++ cc cxx h hpp hxx objc objective-c cuda glsl hlsl wgsl",
        Style::Program,
        &["//"],
        C,
        QUOTES,
        "alignas alignof auto bool break case catch char class co_await co_return co_yield concept const consteval constexpr continue default delete do double else enum explicit export extern false float fn for friend goto if inline int let long mutable namespace new noexcept nullptr operator override private protected public requires return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using var virtual void volatile while",
    ),
    language(
        "go golang",
        Style::Program,
        &["//"],
        C,
        TEMPLATE,
        "any break case chan const continue default defer else fallthrough false for func go goto if import interface iota map nil package range return select struct switch true type var",
    ),
    language(
        "js javascript mjs cjs jsx ts typescript tsx json5 jsonc deno",
        Style::Program,
        &["//"],
        C,
        TEMPLATE,
        "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in instanceof interface keyof let namespace new null of private protected public readonly return satisfies set static super switch this throw true try type typeof undefined var void while with yield",
    ),
    language(
        "java kotlin kt kts scala groovy gradle dart cs csharp c# fsharp swift php solidity apex",
        Style::Program,
        &["//"],
        C,
        TRIPLE,
        "abstract actor as assert async await bool boolean break byte case catch char class companion const continue data def default defer do double echo else enum export extends extension extern false final finally float fn for foreach fun func function get given guard if implements import in init inline instanceof int interface internal is let lazy long match mut mutable namespace new nil null object open operator out override package private protected protocol public readonly record return sealed self set short static string struct super suspend switch this throw throws trait true try type typealias using val var virtual void when where while with yield",
    ),
    language(
        "zig proto protobuf graphql gql thrift capnp d v odin vlang wit",
        Style::Program,
        &["//"],
        C,
        QUOTES,
        "and anytype async await bool break bytes catch comptime const continue defer else enum errdefer error export extern false float fn for fragment if import in inline input int32 int64 interface map message mut mutation null oneof optional or orelse package pub query repeated return returns rpc scalar schema service string struct subscription switch test true try type undefined union usingnamespace var void while",
    ),
    language(
        "python py python3 pyi starlark bazel bzl gdscript mojo",
        Style::Program,
        &["#"],
        &[],
        TRIPLE,
        "and as assert async await break case class continue def del elif else except False finally fn for from func global if import in is lambda let match None nonlocal not or pass raise return self struct True try type var while with yield",
    ),
    language(
        "ruby rb crystal elixir ex exs",
        Style::Program,
        &["#"],
        &[],
        TRIPLE,
        "alias alias_method and attr_accessor attr_reader begin break case class def defmodule defp defstruct do else elsif end ensure false fn for if import in include module next nil not or private protected public raise redo require require_relative rescue retry return self super then true undef unless until use when while with yield",
    ),
    language(
        "perl pl r julia jl nim awk tcl",
        Style::Program,
        &["#"],
        &[],
        TRIPLE,
        "and begin BEGIN break const discard do echo else elseif elsif end END eq export false FALSE for foreach function global if import in include let local macro module mutable my ne next NULL or our package print proc quote repeat require return struct sub then true TRUE try type unless use using var when where while",
    ),
    language(
        "bash sh zsh shell fish ksh nu nushell powershell ps1 pwsh dockerfile docker containerfile make makefile cmake just justfile",
        Style::Shell,
        &["#"],
        &[],
        QUOTES,
        "ADD alias ARG begin break case CMD const continue COPY def do done elif else end ENTRYPOINT ENV esac EXPOSE export FROM for foreach fi function if in LABEL let local match module mut return RUN select set source then time unset until use USER VOLUME where while WORKDIR",
    ),
    language("console sh-session shell-session shellsession terminal", Style::Session, &[], &[], &[], ""),
    language("yaml yml", Style::Keys, &["#"], &[], QUOTES, "true false null yes no on off"),
    language("json jsonl ndjson", Style::Keys, &[], &[], &["\""], "true false null"),
    language("toml", Style::Keys, &["#"], &[], TRIPLE, "true false inf nan"),
    language("ini cfg conf properties env dotenv systemd", Style::Keys, &["#", ";"], &[], QUOTES, "true false"),
    language(
        "nix hcl terraform tf",
        Style::Hyphens,
        &["#", "//"],
        C,
        &["''", "\""],
        "assert builtins data else false for if import in inherit let locals module null or output provider rec resource terraform then true variable with",
    ),
    language(
        "css scss less sass",
        Style::Hyphens,
        &["//"],
        C,
        QUOTES,
        "and auto from important inherit initial none not or to unset var",
    ),
    language(
        "sql postgresql postgres psql mysql sqlite plsql",
        Style::Caseless,
        &["--"],
        C,
        QUOTES,
        "add all alter and as asc begin between by case check column commit conflict constraint create cross default delete desc distinct do drop else end exists explain false foreign from full group having if in index inner insert into is join key left like limit not null of offset on or order outer over partition primary references returning right rollback select set table then transaction true union unique update using values view when where with",
    ),
    language(
        "lua luau",
        Style::Program,
        &["--"],
        &[("--[[", "]]")],
        QUOTES,
        "and break do else elseif end false for function goto if in local nil not or repeat return then true until while",
    ),
    language(
        "haskell hs elm purescript idris agda ocaml ml sml",
        Style::Ticks,
        &["--"],
        &[("{-", "-}"), ("(*", "*)")],
        &["\""],
        "and as begin case class data deriving do else end forall fun function if import in infix infixl infixr instance let match module mutable newtype of open port rec then type val when where with",
    ),
    language(
        "lisp clojure clj scheme racket elisp emacs-lisp fennel janet wat wasm",
        Style::Hyphens,
        &[";"],
        &[],
        &["\""],
        "and call cond def define defmacro defn defun do export fn func if import lambda let let* local loop module ns or param quote recur require result set! table type when",
    ),
    language(
        "erlang erl latex tex matlab octave prolog",
        Style::Program,
        &["%"],
        &[],
        &["\""],
        "after begin case catch else elseif end for fun function if of receive return switch try when while",
    ),
    language("html vue svelte xml svg xhtml rss atom xslt xsl plist", Style::Markup, &[], &[("<!--", "-->")], &[], ""),
    language("diff patch", Style::Diff, &[], &[], &[], ""),
];

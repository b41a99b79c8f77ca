//! CommonMark and GFM events of one document, read once and written as HTML and as text.

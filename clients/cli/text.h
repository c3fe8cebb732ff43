// UTF-8 for the command line: strict validation, and how wide a text is on a terminal. Pure functions.
#ifndef BERTHA_CLIENTS_CLI_TEXT_H_
#define BERTHA_CLIENTS_CLI_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace bertha::cli {

/// Offset of the first byte that does not belong to well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no
/// overlong forms); nothing if there is none.
std::optional<size_t> FindInvalidUtf8(absl::string_view text);

/// Cells that `text` takes on a terminal: 2 for wide characters, 0 for combining marks. Counts a byte that is not
/// UTF-8 as 1.
size_t DisplayWidth(absl::string_view text);

/// `text` made safe and shortened to `width` cells for one line of a terminal: tabs and line ends become spaces, other
/// control characters, direction overrides and bytes that are not UTF-8 become U+FFFD; what is cut off leaves an
/// ellipsis.
std::string FitToWidth(absl::string_view text, size_t width);

/// As FitToWidth, but the beginning is cut off.
std::string FitEndToWidth(absl::string_view text, size_t width);

/// True for characters that could drive a terminal or end a line: controls (C0, DEL, C1), direction overrides,
/// embeddings and isolates, line and paragraph separators.
bool IsUnsafe(char32_t c);

/// `text` made safe for a terminal with nothing lost: what IsUnsafe, and what could not be seen (zero-width spaces and
/// joiners, soft hyphens, other format characters), as \t, \n, \r, \u{200b}; bytes that are not UTF-8 as \xff.
std::string EscapeInvisible(absl::string_view text);

/// `text` followed (or, for `PadLeft`, preceded) by spaces up to `width` cells.
std::string PadRight(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);

/// "850 µs", "1.83 ms", "12.3 ms", "1.20 s".
std::string FormatMicros(double us);

/// 1234567 as "1,234,567".
std::string FormatCount(uint64_t n);

/// A bar of `cells` cells, filled to `fraction` (clamped to [0, 1]) in eighths of a cell and padded with spaces.
std::string Bar(double fraction, size_t cells);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TEXT_H_

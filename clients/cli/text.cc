#include "clients/cli/text.h"

#include <clocale>
#include <cwchar>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bertha::cli {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point;
  size_t length;  // bytes consumed, at least 1
  bool valid;
};

/// Reads one character at `pos` (< text.size()).
Decoded DecodeAt(absl::string_view text, size_t pos) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(pos);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - pos < length) return {kReplacement, 1, false};
  char32_t code_point = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(pos + i) & 0xC0) != 0x80) return {kReplacement, 1, false};
    code_point = code_point << 6 | (byte(pos + i) & 0x3F);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (overlong || surrogate || code_point > 0x10FFFF) return {kReplacement, 1, false};
  return {code_point, length, true};
}

/// A locale that knows the widths of all of Unicode, whatever the user's locale is.
locale_t WidthLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

size_t CellWidth(char32_t code_point) {
  if (code_point < 0x7F) return code_point >= 0x20 ? 1 : 0;
  const locale_t locale = WidthLocale();
  if (locale == nullptr) return 1;
  const locale_t previous = uselocale(locale);
  const int width = wcwidth(static_cast<wchar_t>(code_point));
  uselocale(previous);
  return width < 0 ? 1 : static_cast<size_t>(width);
}

/// Format characters (Unicode's Cf) and their like, that a terminal shows as nothing.
bool IsInvisible(char32_t c) {
  return c == 0xAD || c == 0x34F || c == 0x61C || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

std::string Escape(char32_t c) {
  switch (c) {
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    default:
      return absl::StrFormat("\\u{%x}", static_cast<uint32_t>(c));
  }
}

}  // namespace

std::optional<size_t> FindInvalidUtf8(absl::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const Decoded c = DecodeAt(text, pos);
    if (!c.valid) return pos;
    pos += c.length;
  }
  return std::nullopt;
}

bool IsUnsafe(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return control || direction || c == 0x2028 || c == 0x2029;
}

std::string EscapeInvisible(absl::string_view text) {
  std::string escaped;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded c = DecodeAt(text, pos);
    if (!c.valid) {
      absl::StrAppendFormat(&escaped, "\\x%02x", static_cast<uint8_t>(text[pos]));
    } else if (IsUnsafe(c.code_point) || IsInvisible(c.code_point)) {
      escaped += Escape(c.code_point);
    } else {
      absl::StrAppend(&escaped, text.substr(pos, c.length));
    }
    pos += c.length;
  }
  return escaped;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded c = DecodeAt(text, pos);
    width += CellWidth(c.code_point);
    pos += c.length;
  }
  return width;
}

std::string FitToWidth(absl::string_view text, size_t width) {
  std::string fitted;
  size_t used = 0;
  size_t ellipsis_at = 0;  // where to cut so that the ellipsis still fits
  for (size_t pos = 0; pos < text.size();) {
    const Decoded c = DecodeAt(text, pos);
    const bool blank = c.code_point == '\t' || c.code_point == '\n' || c.code_point == '\r';
    const bool replaced = !blank && (!c.valid || IsUnsafe(c.code_point));
    const size_t cells = blank || replaced ? 1 : CellWidth(c.code_point);
    if (used + cells > width) {
      fitted.resize(ellipsis_at);
      return width == 0 ? fitted : fitted + "…";
    }
    if (blank) {
      fitted += ' ';
    } else if (replaced) {
      fitted += "\uFFFD";
    } else {
      absl::StrAppend(&fitted, text.substr(pos, c.length));
    }
    used += cells;
    if (used < width) ellipsis_at = fitted.size();
    pos += c.length;
  }
  return fitted;
}

std::string FitEndToWidth(absl::string_view text, size_t width) {
  size_t begin = text.size();
  size_t with_ellipsis = text.size();  // where to begin so that the ellipsis still fits
  for (size_t used = 0; begin > 0;) {
    size_t pos = begin - 1;
    for (size_t back = 1; back < 4 && pos > 0 && (static_cast<uint8_t>(text[pos]) & 0xC0) == 0x80; ++back) --pos;
    if (DecodeAt(text, pos).length != begin - pos) pos = begin - 1;  // not UTF-8: one byte
    used += DisplayWidth(FitToWidth(text.substr(pos, begin - pos), 2));
    if (used > width) return width == 0 ? "" : "…" + FitToWidth(text.substr(with_ellipsis), width - 1);
    begin = pos;
    if (used < width) with_ellipsis = begin;
  }
  return FitToWidth(text, width);
}

std::string PadRight(absl::string_view text, size_t width) {
  const size_t used = DisplayWidth(text);
  return absl::StrCat(text, std::string(width > used ? width - used : 0, ' '));
}

std::string PadLeft(absl::string_view text, size_t width) {
  const size_t used = DisplayWidth(text);
  return absl::StrCat(std::string(width > used ? width - used : 0, ' '), text);
}

std::string FormatMicros(double us) {
  if (us < 999.5) return absl::StrFormat("%.0f µs", us);
  if (us < 9995) return absl::StrFormat("%.2f ms", us / 1e3);
  if (us < 999950) return absl::StrFormat("%.1f ms", us / 1e3);
  return absl::StrFormat("%.2f s", us / 1e6);
}

std::string FormatCount(uint64_t n) {
  std::string digits = absl::StrCat(n);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string Bar(double fraction, size_t cells) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::clamp(std::isnan(fraction) ? 0.0 : fraction, 0.0, 1.0);
  const auto eighths = static_cast<size_t>(std::lround(clamped * static_cast<double>(cells) * 8));
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kEighths[eighths % 8];
  const size_t used = (eighths + 7) / 8;
  return bar + std::string(cells - used, ' ');
}

}  // namespace bertha::cli

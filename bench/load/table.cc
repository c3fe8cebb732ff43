#include "bench/load/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/read_file.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::load {
namespace {

using tokenizer::Quoted;

constexpr size_t kMostBytes = size_t{1} << 30;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::string_view WithoutMark(const Source& source) {
  absl::string_view text = source.content;
  if (absl::StartsWith(text, kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

std::string QuotedList(const std::vector<std::string>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, const std::string& name) { *out += Quoted(name); });
}

/// The records of a CSV file, one after the other.
class CsvRecords {
 public:
  explicit CsvRecords(const Source& source) : source_(source), text_(WithoutMark(source)) {}

  /// False at the end.
  absl::StatusOr<bool> Next(Row* row) {
    while (TakeLineEnd()) {
    }
    if (at_ == text_.size()) return false;
    row->line = line_;
    row->fields.clear();
    do {
      row->fields.emplace_back();
      TOKENIZER_RETURN_IF_ERROR(TakeField(&row->fields.back()));
    } while (Take(','));
    if (at_ < text_.size() && !TakeLineEnd()) {
      return source_.Invalid(line_, "text follows a closing quote; a quote inside a quoted field must be doubled");
    }
    return true;
  }

 private:
  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool AtLineEnd() const {
    return absl::StartsWith(text_.substr(at_), "\n") || absl::StartsWith(text_.substr(at_), "\r\n");
  }

  bool TakeLineEnd() {
    if (!AtLineEnd()) return false;
    Take('\r');
    Take('\n');
    ++line_;
    return true;
  }

  absl::Status TakeField(std::string* field) {
    if (Take('"')) return TakeQuoted(field);
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && !AtLineEnd()) ++at_;
    field->assign(text_.data() + begin, at_ - begin);
    return absl::OkStatus();
  }

  /// After the opening quote.
  absl::Status TakeQuoted(std::string* field) {
    const size_t begin_line = line_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"' && !(++at_ < text_.size() && text_[at_] == '"')) return absl::OkStatus();
      line_ += text_[at_] == '\n';
      *field += text_[at_];
    }
    return source_.Invalid(begin_line, "a quoted field begins here and never ends");
  }

  const Source& source_;
  const absl::string_view text_;
  size_t at_ = 0;
  size_t line_ = 1;
};

/// Where each of `columns` is in `header`.
absl::StatusOr<std::vector<size_t>> Places(const Source& source, const Row& header,
                                           const std::vector<std::string>& columns) {
  std::vector<size_t> places;
  for (const std::string& column : columns) {
    const auto found = std::ranges::find(header.fields, column);
    if (found == header.fields.end()) {
      return source.Invalid(header.line, absl::StrCat("there is no column ", Quoted(column), "; the columns are ",
                                                      QuotedList(header.fields)));
    }
    if (std::ranges::count(header.fields, column) > 1) {
      return source.Invalid(header.line, absl::StrCat("there is more than one column ", Quoted(column)));
    }
    places.push_back(static_cast<size_t>(found - header.fields.begin()));
  }
  return places;
}

std::string KeysOf(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys.empty() ? "nothing" : QuotedList(keys);
}

absl::StatusOr<std::string> Member(const Source& source, size_t line, const nlohmann::json& object,
                                   const std::string& name) {
  const auto found = object.find(name);
  if (found == object.end()) {
    return source.Invalid(line, absl::StrCat("has no ", Quoted(name), "; it has ", KeysOf(object)));
  }
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number() || found->is_boolean()) return found->dump();
  return source.Invalid(line, absl::StrCat(Quoted(name), " is ", found->type_name(), "; wanted a string"));
}

}  // namespace

absl::StatusOr<Source> Source::Read(const std::string& path) {
  TOKENIZER_ASSIGN_OR_RETURN(std::string content, tokenizer::ReadFile(path, kMostBytes));
  return Of(path, std::move(content));
}

absl::StatusOr<Source> Source::Of(std::string path, std::string content) {
  Source source{std::move(path), std::move(content)};
  const size_t bad = tokenizer::FindInvalidUtf8(source.content);
  if (bad == absl::string_view::npos) return source;
  const auto end = source.content.begin() + static_cast<ptrdiff_t>(bad);
  const auto line = static_cast<size_t>(std::count(source.content.begin(), end, '\n')) + 1;
  return source.Invalid(line, absl::StrCat("is not UTF-8, at byte ", bad, " of the file; convert it first"));
}

absl::Status Source::Invalid(size_t line, absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path, ", line ", line, ": ", what));
}

std::vector<Line> LinesOf(const Source& source) {
  std::vector<Line> lines;
  absl::string_view rest = WithoutMark(source);
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    absl::string_view text = rest.substr(0, end);
    if (absl::EndsWith(text, "\r")) text.remove_suffix(1);
    if (!text.empty()) lines.push_back({number, text});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

absl::StatusOr<std::vector<Row>> CsvColumns(const Source& source, const std::vector<std::string>& columns) {
  CsvRecords records(source);
  Row header;
  TOKENIZER_ASSIGN_OR_RETURN(const bool any, records.Next(&header));
  if (!any) return source.Invalid(1, "is empty; wanted a header with the names of the columns");
  TOKENIZER_ASSIGN_OR_RETURN(const std::vector<size_t> places, Places(source, header, columns));
  std::vector<Row> rows;
  for (Row record;;) {
    TOKENIZER_ASSIGN_OR_RETURN(const bool more, records.Next(&record));
    if (!more) return rows;
    if (record.fields.size() != header.fields.size()) {
      return source.Invalid(record.line, absl::StrCat("has ", record.fields.size(), " fields, but the header has ",
                                                      header.fields.size(), "; is a quote or a comma missing?"));
    }
    Row& row = rows.emplace_back(Row{record.line, {}});
    for (const size_t place : places) row.fields.push_back(std::move(record.fields[place]));
  }
}

absl::StatusOr<std::vector<Row>> JsonlColumns(const Source& source, const std::vector<std::string>& columns) {
  std::vector<Row> rows;
  for (const Line& line : LinesOf(source)) {
    const auto object = nlohmann::json::parse(line.text.begin(), line.text.end(), nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return source.Invalid(line.number, "is not a JSON object");
    Row& row = rows.emplace_back(Row{line.number, {}});
    for (const std::string& column : columns) {
      TOKENIZER_ASSIGN_OR_RETURN(std::string value, Member(source, line.number, object, column));
      row.fields.push_back(std::move(value));
    }
  }
  return rows;
}

}  // namespace bertha::load

#include "tokenizer/tokenizer_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tokenizer/spiece_model.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/tokenizer_config.h"
#include "tokenizer/vocab_and_merges.h"
#include "tokenizer/vocab_txt.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

constexpr const char kTokenizerJson[] = "tokenizer.json";
constexpr const char kVocabTxt[] = "vocab.txt";
constexpr const char kVocabJson[] = "vocab.json";
constexpr const char kMerges[] = "merges.txt";
constexpr const char kSpieceModel[] = "spiece.model";
/// The vocabularies that a folder may have.
constexpr const char* kVocabularies[] = {kVocabTxt, kVocabJson, kSpieceModel};

enum class Format { kTokenizerJson, kVocabTxt, kVocabJson, kMerges, kSentencePiece };

bool Exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// A vocab.json maps tokens to numbers; no member of a tokenizer.json is a number. The first member tells.
bool FirstMemberIsNumber(absl::string_view json) {
  size_t at = json.find('"');
  if (at == absl::string_view::npos) return false;
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  const absl::string_view after = at < json.size() ? json.substr(at + 1) : "";
  const absl::string_view colon = absl::StripLeadingAsciiWhitespace(after);
  if (!absl::StartsWith(colon, ":")) return false;
  const absl::string_view value = absl::StripLeadingAsciiWhitespace(colon.substr(1));
  return !value.empty() && (absl::ascii_isdigit(static_cast<unsigned char>(value[0])) || value[0] == '-');
}

/// A line of a merges.txt has a space between two tokens; a token of a vocab.txt has none.
bool LooksLikeMerges(absl::string_view text) {
  const absl::string_view line = absl::StripAsciiWhitespace(text.substr(0, text.find_first_of("\r\n")));
  return absl::StartsWith(line, "#version") || absl::StrContains(line, " ");
}

/// Text has no NUL, but protobuf always has: a piece's score of 0 is four of them. A name counts only where the content
/// leaves a doubt.
Format FormatOf(const SourceFile& file) {
  const absl::string_view content = file.content;
  if (absl::EndsWith(file.path, ".model") || absl::StrContains(content, '\0')) return Format::kSentencePiece;
  const bool is_object = absl::StartsWith(absl::StripLeadingAsciiWhitespace(content), "{");
  if (absl::EndsWith(file.path, ".json") || (is_object && !absl::EndsWith(file.path, ".txt"))) {
    return FirstMemberIsNumber(content) ? Format::kVocabJson : Format::kTokenizerJson;
  }
  return LooksLikeMerges(content) ? Format::kMerges : Format::kVocabTxt;
}

absl::StatusOr<std::string> OnlyVocabularyIn(const std::filesystem::path& folder) {
  std::vector<std::string> found;
  for (const char* name : kVocabularies) {
    if (Exists(folder / name)) found.push_back(name);
  }
  if (found.size() == 1) return (folder / found[0]).string();
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat(folder.string(), ": has no ", kTokenizerJson, ", ", kVocabTxt, ", ",
                                            kVocabJson, " or ", kSpieceModel));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(folder.string(), ": has ", absl::StrJoin(found, " and "), "; name the one to use"));
}

/// The other half of a byte-level BPE vocabulary: x-vocab.json has its x-merges.txt.
absl::StatusOr<SourceFile> ReadOtherHalf(const SourceFile& file, absl::string_view own, absl::string_view other) {
  std::string name = std::filesystem::path(file.path).filename().string();
  name = absl::EndsWith(name, own) ? absl::StrCat(name.substr(0, name.size() - own.size()), other) : std::string(other);
  absl::StatusOr<SourceFile> half = SourceFile::Read(file.Beside(name));
  if (half.ok()) return half;
  return file.Invalid(absl::StrCat("is no tokenizer.json; if it is half of a vocabulary, put ", name, " beside it"));
}

absl::StatusOr<Json> Rewrite(const SourceFile& file, Format format) {
  TOKENIZER_ASSIGN_OR_RETURN(const TokenizerConfig config, TokenizerConfig::Read(file.folder()));
  switch (format) {
    case Format::kVocabTxt:
      return FromVocabTxt(file, config);
    case Format::kSentencePiece:
      return FromSpieceModel(file, config);
    case Format::kMerges: {
      TOKENIZER_ASSIGN_OR_RETURN(const SourceFile vocab, ReadOtherHalf(file, kMerges, kVocabJson));
      return FromVocabAndMerges(vocab, file, config);
    }
    case Format::kVocabJson: {
      TOKENIZER_ASSIGN_OR_RETURN(const SourceFile merges, ReadOtherHalf(file, kVocabJson, kMerges));
      return FromVocabAndMerges(file, merges, config);
    }
    case Format::kTokenizerJson:
      break;
  }
  return absl::InternalError("a tokenizer.json is not rewritten");
}

}  // namespace

absl::StatusOr<SourceFile> ReadAsTokenizerJson(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::filesystem::path folder(path);
    if (Exists(folder / kTokenizerJson)) return SourceFile::Read((folder / kTokenizerJson).string());
    TOKENIZER_ASSIGN_OR_RETURN(const std::string vocabulary, OnlyVocabularyIn(folder));
    return ReadAsTokenizerJson(vocabulary);
  }
  TOKENIZER_ASSIGN_OR_RETURN(SourceFile file, SourceFile::Read(path));
  const Format format = FormatOf(file);
  if (format == Format::kTokenizerJson) return file;
  TOKENIZER_ASSIGN_OR_RETURN(const Json json, Rewrite(file, format));
  file.content = json.dump();
  return file;
}

}  // namespace bertha::tokenizer

#include "tokenizer/spiece_model.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "tokenizer/families.h"
#include "tokenizer/sentencepiece_proto.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

/// First and last code points of the runs for which Python's str.isdigit is true (Unicode 14: Numeric_Type=Decimal or
/// Digit); tests/tokenizer/test_vocabulary_files.py compares them with Python.
constexpr char32_t kDigits[][2] = {
    {0x30, 0x39},       {0xB2, 0xB3},       {0xB9, 0xB9},       {0x660, 0x669},     {0x6F0, 0x6F9},
    {0x7C0, 0x7C9},     {0x966, 0x96F},     {0x9E6, 0x9EF},     {0xA66, 0xA6F},     {0xAE6, 0xAEF},
    {0xB66, 0xB6F},     {0xBE6, 0xBEF},     {0xC66, 0xC6F},     {0xCE6, 0xCEF},     {0xD66, 0xD6F},
    {0xDE6, 0xDEF},     {0xE50, 0xE59},     {0xED0, 0xED9},     {0xF20, 0xF29},     {0x1040, 0x1049},
    {0x1090, 0x1099},   {0x1369, 0x1371},   {0x17E0, 0x17E9},   {0x1810, 0x1819},   {0x1946, 0x194F},
    {0x19D0, 0x19DA},   {0x1A80, 0x1A89},   {0x1A90, 0x1A99},   {0x1B50, 0x1B59},   {0x1BB0, 0x1BB9},
    {0x1C40, 0x1C49},   {0x1C50, 0x1C59},   {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},
    {0x2460, 0x2468},   {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
    {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},   {0xA620, 0xA629},
    {0xA8D0, 0xA8D9},   {0xA900, 0xA909},   {0xA9D0, 0xA9D9},   {0xA9F0, 0xA9F9},   {0xAA50, 0xAA59},
    {0xABF0, 0xABF9},   {0xFF10, 0xFF19},   {0x104A0, 0x104A9}, {0x10A40, 0x10A43}, {0x10D30, 0x10D39},
    {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x11066, 0x1106F}, {0x110F0, 0x110F9}, {0x11136, 0x1113F},
    {0x111D0, 0x111D9}, {0x112F0, 0x112F9}, {0x11450, 0x11459}, {0x114D0, 0x114D9}, {0x11650, 0x11659},
    {0x116C0, 0x116C9}, {0x11730, 0x11739}, {0x118E0, 0x118E9}, {0x11950, 0x11959}, {0x11C50, 0x11C59},
    {0x11D50, 0x11D59}, {0x11DA0, 0x11DA9}, {0x16A60, 0x16A69}, {0x16AC0, 0x16AC9}, {0x16B50, 0x16B59},
    {0x1D7CE, 0x1D7FF}, {0x1E140, 0x1E149}, {0x1E2F0, 0x1E2F9}, {0x1E950, 0x1E959}, {0x1F100, 0x1F10A},
    {0x1FBF0, 0x1FBF9},
};

bool IsDigit(char32_t cp) {
  const auto* const run = std::lower_bound(std::begin(kDigits), std::end(kDigits), cp,
                                           [](const auto& range, char32_t wanted) { return range[1] < wanted; });
  return run != std::end(kDigits) && (*run)[0] <= cp;
}

bool EndsWithDigitAndComma(absl::string_view piece) {
  if (piece.size() < 2 || piece.back() != ',') return false;
  size_t start = 0;
  return IsDigit(DecodeUtf8Before(piece, piece.size() - 1, &start));
}

/// XLNet's and ALBERT's own code splits a final comma off a number after the fact; here such pieces are made so
/// unlikely that they never win.
double ScoreOf(const SentencePieceModel::Piece& piece) {
  constexpr double kPenalty = 100;
  return EndsWithDigitAndComma(piece.text) ? double{piece.score} - kPenalty : double{piece.score};
}

Json Replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

Json NormalizerOf(absl::string_view charsmap, bool keep_accents, bool lowercase) {
  Json steps = Json::array({Replace("``", "\""), Replace("''", "\"")});
  if (!keep_accents) {
    steps.push_back(Json::object({{"type", "NFKD"}}));
    steps.push_back(Json::object({{"type", "StripAccents"}}));
  }
  if (lowercase) steps.push_back(Json::object({{"type", "Lowercase"}}));
  if (!charsmap.empty()) {
    steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", absl::Base64Escape(charsmap)}});
  }
  return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

Json Metaspace() { return {{"type", "Metaspace"}, {"replacement", "▁"}, {"str_rep", "▁"}, {"add_prefix_space", true}}; }

Json PreTokenizerOf() {
  return {{"type", "Sequence"},
          {"pretokenizers", Json::array({Json::object({{"type", "WhitespaceSplit"}}), Metaspace()})}};
}

Json ModelOf(const SentencePieceModel& model) {
  Json vocab = Json::array();
  for (const auto& piece : model.pieces) vocab.push_back(Json::array({std::string(piece.text), ScoreOf(piece)}));
  return {{"type", "Unigram"}, {"unk_id", model.unk_id}, {"vocab", std::move(vocab)}, {"byte_fallback", false}};
}

}  // namespace

absl::StatusOr<Json> FromSpieceModel(const SourceFile& file, const TokenizerConfig& config) {
  TOKENIZER_ASSIGN_OR_RETURN(const SentencePieceModel model, SentencePieceModel::Parse(file));
  const IdOf id_of = [&](const std::string& token) -> std::optional<int32_t> {
    const auto found = model.ids.find(token);
    if (found == model.ids.end()) return std::nullopt;
    return found->second;
  };
  const Family* const families[] = {&kXlnet, &kAlbert};
  TOKENIZER_ASSIGN_OR_RETURN(const Family* family, ChooseFamily(families, file, config, id_of));
  const bool is_albert = family == &kAlbert;
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> lowercase, config.Flag("do_lower_case"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> keep_accents, config.Flag("keep_accents"));

  Json json = EmptyTokenizerJson();
  TOKENIZER_ASSIGN_OR_RETURN(json["added_tokens"], AddedTokensOf(*family, config, id_of));
  json["normalizer"] =
      NormalizerOf(model.precompiled_charsmap, keep_accents.value_or(false), lowercase.value_or(is_albert));
  json["pre_tokenizer"] = PreTokenizerOf();
  json["post_processor"] = is_albert ? TemplateOf("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", id_of)
                                     : TemplateOf("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2", id_of);
  json["decoder"] = Metaspace();
  json["model"] = ModelOf(model);
  return json;
}

}  // namespace bertha::tokenizer

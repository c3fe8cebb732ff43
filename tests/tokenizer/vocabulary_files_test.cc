// Vocabulary files in place of a tokenizer.json: what is made of them, and what is said of broken ones.
// test_vocabulary_files.py compares the result with the reference libraries.
#include <unistd.h>
#include <bit>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/tokenizer/support.h"
#include "tokenizer/tokenizer_files.h"

namespace bertha::tokenizer {
namespace {

/// A folder that vanishes with its files.
class Folder {
 public:
  Folder() {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("bertha-vocabulary-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_.string(); }
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return File(name);
  }
  void WriteJson(const std::string& name, const json& content) const { Write(name, content.dump()); }

 private:
  std::filesystem::path path_;
};

json Rewritten(const std::string& path) {
  const absl::StatusOr<SourceFile> file = ReadAsTokenizerJson(path);
  INFO(file.status().ToString());
  REQUIRE(file.ok());
  return json::parse(file->content);
}

/// The error for `path`, without the folder in it.
std::string ErrorOf(const Folder& folder, const std::string& path, absl::StatusCode code) {
  const absl::Status status = Tokenizer::FromFile(path).status();
  CHECK(status.code() == code);
  std::string message(status.message());
  for (const std::string& prefix : {folder.path() + "/", folder.path() + ": "}) {
    for (size_t at; (at = message.find(prefix)) != std::string::npos;) message.erase(at, prefix.size());
  }
  return message;
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnknown = absl::StatusCode::kUnimplemented;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

// ---- vocab.txt ----

const std::string kVocabTxt = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\né\ne\n中\n国\n";

std::vector<int32_t> IdsOf(const std::string& path, const std::string& text) {
  const auto tokenizer = Tokenizer::FromFile(path);
  INFO(tokenizer.status().ToString());
  REQUIRE(tokenizer.ok());
  return EncodeWith(**tokenizer, text).ids;
}

TEST_CASE("AVocabTxtIsBert") {
  const Folder folder;
  const std::string path = folder.Write("vocab.txt", kVocabTxt);
  CHECK(IdsOf(path, "AB É[MASK]zz") == std::vector<int32_t>{2, 5, 7, 9, 4, 1, 3});
  CHECK(IdsOf(folder.path(), "a") == std::vector<int32_t>{2, 5, 3});
}

TEST_CASE("LineEndsDoNotCount") {
  const std::vector<int32_t> expected = {2, 5, 6, 3};
  const std::string end = "[PAD]|[UNK]|[CLS]|[SEP]|[MASK]|a|b";
  for (const std::string separator : {"\n", "\r\n", "\r"}) {
    std::string text = end;
    for (size_t at; (at = text.find('|')) != std::string::npos;) text.replace(at, 1, separator);
    const Folder folder;
    CHECK(IdsOf(folder.Write("vocab.txt", text), "a b") == expected);
    CHECK(IdsOf(folder.Write("vocab.txt", text + separator), "a b") == expected);
  }
}

TEST_CASE("EveryLineHasItsNumberEvenIfEmptyOrThereTwice") {
  const Folder folder;
  const json vocab = Rewritten(folder.Write("vocab.txt", "[UNK]\n\n[CLS]\n[SEP]\na\na\n\nb "))["model"]["vocab"];
  CHECK(vocab == json{{"[UNK]", 0}, {"[CLS]", 2}, {"[SEP]", 3}, {"a", 5}, {"", 6}, {"b ", 7}});
}

TEST_CASE("SpecialTokensThatAVocabularyLacksAreNotInvented") {
  const Folder folder;
  const json added = Rewritten(folder.Write("vocab.txt", "[SEP]\n[UNK]\n[CLS]\na\n"))["added_tokens"];
  std::vector<std::string> contents;
  for (const json& token : added) contents.push_back(token["content"]);
  CHECK(contents == std::vector<std::string>{"[SEP]", "[UNK]", "[CLS]"});
}

TEST_CASE("BrokenVocabTxtFilesAreRefused") {
  const Folder folder;
  const auto error = [&](const std::string& text) {
    return ErrorOf(folder, folder.Write("vocab.txt", text), kInvalid);
  };
  CHECK(error("") == "vocab.txt: the vocabulary lacks special tokens of BERT: [UNK], [CLS], [SEP]");
  CHECK(error("[PAD]\n[CLS]\n[SEP]\n") == "vocab.txt: the vocabulary lacks special tokens of BERT: [UNK]");
  CHECK(error("\xEF\xBB\xBF" + kVocabTxt) == "vocab.txt:1: starts with a byte order mark; remove it");
  CHECK(error(kVocabTxt + "ok\nab\xFFzz\n") == "vocab.txt:14: invalid UTF-8 at byte 2 of the line");
}

TEST_CASE("TheConfigurationBesideAVocabTxtIsObeyed") {
  const Folder folder;
  const std::string path = folder.Write("vocab.txt", kVocabTxt);
  folder.WriteJson("tokenizer_config.json", json{{"tokenizer_class", "BertTokenizerFast"},
                                                 {"do_lower_case", false},
                                                 {"strip_accents", nullptr},
                                                 {"tokenize_chinese_chars", false},
                                                 {"cls_token", "[CLS]"},
                                                 {"model_max_length", 512},
                                                 {"sep_token", {{"content", "[SEP]"}, {"lstrip", false}}}});
  CHECK(IdsOf(path, "é a") == std::vector<int32_t>{2, 8, 5, 3});
  CHECK(IdsOf(path, "A") == std::vector<int32_t>{2, 1, 3});
  CHECK(IdsOf(path, "中国") == std::vector<int32_t>{2, 1, 3});
  folder.WriteJson("tokenizer_config.json", json{{"do_lower_case", false}, {"strip_accents", true}});
  CHECK(IdsOf(path, "é 中国") == std::vector<int32_t>{2, 9, 10, 11, 3});
}

TEST_CASE("ListedAddedTokensReplaceTheUsualOnes") {
  const Folder folder;
  const std::string path = folder.Write("vocab.txt", kVocabTxt);
  const auto token = [](const std::string& content, bool special) {
    return json{{"content", content}, {"lstrip", false},      {"normalized", false},
                {"rstrip", false},    {"single_word", false}, {"special", special}};
  };
  folder.WriteJson("tokenizer_config.json",
                   json{{"added_tokens_decoder", {{"12", token("<new>", false)}, {"4", token("[MASK]", true)}}},
                        {"additional_special_tokens", {"<new>"}}});
  CHECK(IdsOf(path, "a<new>[MASK]") == std::vector<int32_t>{2, 5, 12, 4, 3});
  folder.WriteJson("tokenizer_config.json", json{{"added_tokens_decoder", {{"13", token("<new>", false)}}}});
  CHECK(ErrorOf(folder, path, kInvalid) ==
        "vocab.txt: $.added_tokens[5]: id 13 of \"<new>\" should be 12, the next free");
  folder.WriteJson("tokenizer_config.json", json{{"added_tokens_decoder", {{"x", token("<new>", false)}}}});
  CHECK(ErrorOf(folder, path, kInvalid) ==
        "tokenizer_config.json: $.added_tokens_decoder[\"x\"]: the key must be a token id");
}

TEST_CASE("SettingsThatNeedATokenizerJsonAreRefused") {
  const Folder folder;
  const std::string path = folder.Write("vocab.txt", kVocabTxt);
  const auto error = [&](const json& config, absl::StatusCode code) {
    folder.WriteJson("tokenizer_config.json", config);
    return ErrorOf(folder, path, code);
  };
  CHECK(error({{"tokenizer_class", "MPNetTokenizer"}}, kUnknown) ==
        "tokenizer_config.json: tokenizer_class \"MPNetTokenizer\" is not supported with this kind of vocabulary; "
        "known here: BertTokenizer, DistilBertTokenizer");
  CHECK(error({{"cls_token", "<s>"}}, kUnknown) ==
        "tokenizer_config.json: cls_token \"<s>\": without a tokenizer.json only \"[CLS]\" is supported for BERT");
  CHECK(error({{"additional_special_tokens", {"[NEW]"}}}, kUnknown) ==
        "tokenizer_config.json: added token \"[NEW]\": without a tokenizer.json only those of BERT are supported");
  CHECK(error({{"do_basic_tokenize", false}}, kUnknown) ==
        "tokenizer_config.json: $.do_basic_tokenize: only true is supported without a tokenizer.json");
  CHECK(error({{"do_lower_case", "yes"}}, kInvalid) ==
        "tokenizer_config.json: $.do_lower_case: must be true or false, is string");
  CHECK(error(json::array(), kInvalid) == "tokenizer_config.json: $: must be an object");
  CHECK(error({{"additional_special_tokens", {{{"lstrip", true}}}}}, kInvalid) ==
        "tokenizer_config.json: $[\"additional_special_tokens\"][0]: member \"content\" is missing");
  folder.WriteJson("tokenizer_config.json", json::object());
  folder.WriteJson("special_tokens_map.json", json{{"sep_token", "</s>"}});
  CHECK(ErrorOf(folder, path, kUnknown) ==
        "special_tokens_map.json: sep_token \"</s>\": without a tokenizer.json only \"[SEP]\" is supported for BERT");
  folder.WriteJson("special_tokens_map.json", json{{"sep_token", "[SEP]"}});
  folder.WriteJson("added_tokens.json", json{{"<new>", 12}});
  CHECK(ErrorOf(folder, path, kUnknown) ==
        "added_tokens.json: added token \"<new>\": without a tokenizer.json only those of BERT are supported");
}

// ---- vocab.json and merges.txt ----

const json kRoberta = {{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}, {"a", 4},
                       {"b", 5},   {"c", 6},     {"ab", 7},   {"abc", 8},   {"<mask>", 9}};
const json kGpt2 = {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"abc", 4}, {"<|endoftext|>", 5}};
const std::string kMerges = "#version: 0.2\na b\nab c\n";

TEST_CASE("AVocabJsonWithItsMergesIsRobertaOrGpt2") {
  const Folder folder;
  folder.Write("merges.txt", kMerges);
  folder.WriteJson("vocab.json", kRoberta);
  json made = Rewritten(folder.File("vocab.json"));
  CHECK(made["post_processor"]["type"] == "RobertaProcessing");
  CHECK(made["post_processor"]["sep"] == json{"</s>", 2});
  CHECK(made["model"]["vocab"] == kRoberta);
  CHECK(made["model"]["merges"] == json::parse(R"([["a", "b"], ["ab", "c"]])"));
  CHECK(made["added_tokens"].size() == 5);
  CHECK(made["added_tokens"][4]["lstrip"] == true);
  CHECK(Rewritten(folder.File("merges.txt")) == made);
  CHECK(Rewritten(folder.path()) == made);

  folder.WriteJson("vocab.json", kGpt2);
  made = Rewritten(folder.path());
  CHECK(made["post_processor"]["type"] == "ByteLevel");
  CHECK(made["added_tokens"].size() == 1);
}

TEST_CASE("AMergeIsNeitherLostWithoutAHeaderNorWithoutAFinalLineEnd") {
  const Folder folder;
  folder.WriteJson("vocab.json", kGpt2);
  for (const std::string merges : {"a b\nab c\n", "#version: 0.2\na b\nab c", "#version: 0.2\r\na b\r\nab c\r\n"}) {
    folder.Write("merges.txt", merges);
    CHECK(Rewritten(folder.path())["model"]["merges"] == json::parse(R"([["a", "b"], ["ab", "c"]])"));
  }
}

TEST_CASE("TheConfigurationBesideAVocabJsonIsObeyed") {
  const Folder folder;
  folder.Write("merges.txt", kMerges);
  folder.WriteJson("vocab.json", kRoberta);
  folder.WriteJson("tokenizer_config.json", json{{"add_prefix_space", true}, {"trim_offsets", false}});
  const json made = Rewritten(folder.path());
  CHECK(made["pre_tokenizer"]["add_prefix_space"] == true);
  CHECK(made["post_processor"]["add_prefix_space"] == true);
  CHECK(made["post_processor"]["trim_offsets"] == false);
  folder.WriteJson("tokenizer_config.json", json{{"tokenizer_class", "GPT2Tokenizer"}});
  CHECK(ErrorOf(folder, folder.path(), kInvalid) ==
        "vocab.json: the vocabulary lacks special tokens of GPT-2: <|endoftext|>");
}

TEST_CASE("BrokenMergesNameTheLine") {
  const Folder folder;
  folder.WriteJson("vocab.json", kGpt2);
  const auto error = [&](const std::string& merges) {
    return ErrorOf(folder, folder.Write("merges.txt", merges), kInvalid);
  };
  CHECK(error("#version: 0.2\na b\nab\n") == "merges.txt:3: \"ab\" is not two tokens with a space between");
  CHECK(error("#version: 0.2\na b c\n") == "merges.txt:2: \"a b c\" is not two tokens with a space between");
  CHECK(error("#version: 0.2\na b\n\n") == "merges.txt:3: \"\" is not two tokens with a space between");
  CHECK(error("#version: 0.2\nab zq\n") ==
        "merges.txt:2: the merge \"ab zq\" needs \"zq\", which is not in the vocabulary");
  CHECK(error("#version: 0.2\nb c\n") ==
        "merges.txt:2: the merge \"b c\" needs \"bc\", which is not in the vocabulary");
  CHECK(error("#version: 0.2\na b\nab c\na b\n") == "merges.txt:4: the merge \"a b\" is in line 2 already");
  CHECK(error("#version: 0.2\na b\na \xC3\n") == "merges.txt:3: invalid UTF-8 at byte 2 of the line");
}

TEST_CASE("BrokenVocabJsonFilesAreRefused") {
  const Folder folder;
  folder.Write("merges.txt", std::string("#version: 0.2\n"));
  const auto error = [&](const std::string& text) {
    return ErrorOf(folder, folder.Write("vocab.json", text), kInvalid);
  };
  CHECK(error(R"({"a": 0, "b": "1"})") == R"(vocab.json: $["b"]: must be an integer from 0 up, is string)");
  CHECK(error(R"({"a": -1})") == R"(vocab.json: $["a"]: must be an integer from 0 up, is -1)");
  CHECK(error(R"({"a": 0, "a": 1})") == R"(vocab.json: $["a"]: duplicate key)");
  CHECK(error(R"({"a": 0, )") == R"(vocab.json: $["a"]: not valid JSON at byte 9)");
  CHECK(error(R"({"a": 0})") ==
        "vocab.json: the vocabulary has neither the special tokens of RoBERTa (<s>, </s>, <mask>) nor those of GPT-2 "
        "(<|endoftext|>)");
}

TEST_CASE("HalfAVocabularyAsksForTheOther") {
  const Folder folder;
  folder.WriteJson("vocab.json", kGpt2);
  CHECK(ErrorOf(folder, folder.File("vocab.json"), kInvalid) ==
        "vocab.json: is no tokenizer.json; if it is half of a vocabulary, put merges.txt beside it");
  folder.Write("my-merges.txt", kMerges);
  CHECK(ErrorOf(folder, folder.File("my-merges.txt"), kInvalid) ==
        "my-merges.txt: is no tokenizer.json; if it is half of a vocabulary, put my-vocab.json beside it");
  folder.WriteJson("my-vocab.json", kGpt2);
  CHECK(Rewritten(folder.File("my-merges.txt"))["model"]["vocab"] == kGpt2);
}

// ---- spiece.model ----

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80 | (value & 0x7F));
  return bytes += static_cast<char>(value);
}
std::string Number(int field, uint64_t value) { return Varint(static_cast<uint64_t>(field) << 3) + Varint(value); }
std::string Bytes(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}
std::string Float(int field, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  std::string bytes = Varint(static_cast<uint64_t>(field) << 3 | 5);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}
std::string PieceOf(const std::string& text, float score = 0, int type = 1) {
  return Bytes(1, Bytes(1, text) + Float(2, score) + (type == 1 ? "" : Number(3, static_cast<uint64_t>(type))));
}

const std::string kXlnetPieces = PieceOf("<unk>", 0, 2) + PieceOf("<cls>", 0, 3) + PieceOf("<sep>", 0, 3);
const std::string kAlbertPieces = PieceOf("<pad>", 0, 3) + PieceOf("<unk>", 0, 2) + PieceOf("[CLS]", 0, 3) +
                                  PieceOf("[SEP]", 0, 3) + PieceOf("[MASK]", 0, 3);
const std::string kAlbertTrainer = Bytes(2, Number(40, 1));

TEST_CASE("ASpieceModelIsXlnetOrAlbert") {
  const Folder folder;
  json made = Rewritten(folder.Write("spiece.model", kXlnetPieces));
  CHECK(made["post_processor"]["single"].back() == json{{"SpecialToken", {{"id", "<cls>"}, {"type_id", 2}}}});
  CHECK(made["normalizer"]["normalizers"].size() == 4);
  CHECK(made["model"]["unk_id"] == 0);
  made = Rewritten(folder.Write("spiece.model", kAlbertPieces + kAlbertTrainer));
  CHECK(made["post_processor"]["single"][0] == json{{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}});
  CHECK(made["normalizer"]["normalizers"][4] == json{{"type", "Lowercase"}});
  CHECK(made["model"]["unk_id"] == 1);
  CHECK(made["added_tokens"][4]["content"] == "[MASK]");
  CHECK(made["added_tokens"][4]["lstrip"] == true);
  CHECK(Rewritten(folder.path()) == made);
}

TEST_CASE("TheConfigurationBesideASpieceModelIsObeyed") {
  const Folder folder;
  folder.Write("spiece.model", kAlbertPieces + kAlbertTrainer);
  folder.WriteJson("tokenizer_config.json", json{{"do_lower_case", false}, {"keep_accents", true}});
  CHECK(Rewritten(folder.path())["normalizer"]["normalizers"].size() == 2);
}

TEST_CASE("ScoresSurviveAndNumbersWithACommaAreMadeUnlikely") {
  const Folder folder;
  const std::string pieces = kXlnetPieces + PieceOf("(", 0, 4) + PieceOf("a", -3.1415927F) + PieceOf("▁2010,", -9.5F) +
                             PieceOf("٣,", -8.25F) + PieceOf(",", -4) + PieceOf("a,", -5) + PieceOf("5,a", -6);
  const json vocab = Rewritten(folder.Write("spiece.model", pieces))["model"]["vocab"];
  const std::vector<std::pair<std::string, double>> expected = {
      {"<unk>", 0},       {"<cls>", 0},    {"<sep>", 0}, {"(", 0},   {"a", double{-3.1415927F}},
      {"▁2010,", -109.5}, {"٣,", -108.25}, {",", -4},    {"a,", -5}, {"5,a", -6}};
  CHECK(vocab == json(expected));
}

TEST_CASE("FieldsThatAreNotNeededAreSkipped") {
  const Folder folder;
  const std::string extra =
      Bytes(4, Bytes(1, "self test")) + Number(200, 7) + Float(201, 1.5F) + Varint(202 << 3 | 1) + "8 bytes!";
  const json made = Rewritten(folder.Write("spiece.model", extra + kXlnetPieces + extra));
  CHECK(made["model"]["vocab"].size() == 3);
}

TEST_CASE("OtherKindsOfSentencePieceModelsAreRefusedByName") {
  const Folder folder;
  const auto error = [&](const std::string& more) {
    return ErrorOf(folder, folder.Write("spiece.model", kXlnetPieces + more), kUnknown);
  };
  CHECK(error(Bytes(2, Number(3, 2))) == "spiece.model: model_type BPE is not supported; known here: UNIGRAM");
  CHECK(error(Bytes(2, Number(3, 3))) == "spiece.model: model_type WORD is not supported; known here: UNIGRAM");
  CHECK(error(Bytes(2, Number(3, 4))) == "spiece.model: model_type CHAR is not supported; known here: UNIGRAM");
  CHECK(error(Bytes(2, Number(3, 9))) == "spiece.model: model_type 9 is not supported; known here: UNIGRAM");
  CHECK(error(Bytes(2, Number(35, 1))) == "spiece.model: byte_fallback is not supported");
  CHECK(error(Bytes(2, Number(24, 1))) == "spiece.model: treat_whitespace_as_suffix is not supported");
  CHECK(error(Bytes(3, Number(3, 0))) == "spiece.model: add_dummy_prefix: false is not supported");
  CHECK(error(Bytes(3, Number(4, 0))) == "spiece.model: remove_extra_whitespaces: false is not supported");
  CHECK(error(Bytes(3, Number(5, 0))) == "spiece.model: escape_whitespaces: false is not supported");
  CHECK(error(PieceOf("a", 0, 5)) == "spiece.model: piece 3: UNUSED is not supported");
  CHECK(error(PieceOf("<0x41>", 0, 6)) == "spiece.model: piece 3: BYTE is not supported");
}

TEST_CASE("BrokenSentencePieceModelsAreRefused") {
  const Folder folder;
  const auto error = [&](const std::string& bytes) {
    return ErrorOf(folder, folder.Write("spiece.model", bytes), kInvalid);
  };
  const std::string none = "spiece.model: no SentencePiece model: ";
  CHECK(error("") == none + "no piece is of type UNKNOWN");
  CHECK(error(kXlnetPieces.substr(0, 20)) == none + "it ends inside a field at byte 16");
  CHECK(error(kXlnetPieces + "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") ==
        none + "it ends inside a field at byte " + std::to_string(kXlnetPieces.size()));
  CHECK(error(std::string(11, '\xFF')) == none + "a number of more than ten bytes at byte 0");
  CHECK(error("\x0B") == none + "wire type 3 at byte 0");
  CHECK(error(std::string("\0", 1)) == none + "field number 0 at byte 0");
  CHECK(error(Number(1, 5)) == none + "pieces has wire type 0");
  CHECK(error(Bytes(1, Number(2, 5))) == none + "score has wire type 0");
  CHECK(error(kXlnetPieces + PieceOf("")) == "spiece.model: piece 3 is empty");
  CHECK(error(kXlnetPieces + PieceOf("\xC3")) == "spiece.model: piece 3 is not UTF-8");
  CHECK(error(kXlnetPieces + PieceOf("a", std::bit_cast<float>(0x7FC00000))) ==
        "spiece.model: piece 3 has no finite score");
  CHECK(error(kXlnetPieces + PieceOf("a", 0, 7)) == "spiece.model: piece 3 has type 7");
  CHECK(error(kXlnetPieces + PieceOf("<sep>")) == "spiece.model: piece 3 \"<sep>\" is piece 2 already");
  CHECK(error(kXlnetPieces + PieceOf("<u>", 0, 2)) == "spiece.model: piece 3 is of type UNKNOWN, as is piece 0");
  CHECK(error(kAlbertPieces) == "spiece.model: piece 1 is of type UNKNOWN, but trainer_spec.unk_id is 0");
  CHECK(error(PieceOf("<unk>", 0, 2)) ==
        "spiece.model: the vocabulary has neither the special tokens of XLNet (<unk>, <cls>, <sep>) nor those of "
        "ALBERT (<unk>, [CLS], [SEP])");
}

TEST_CASE("ATruncatedSentencePieceModelIsNeverReadBeyondItsEnd") {
  const Folder folder;
  const std::string whole = kXlnetPieces + PieceOf("a", -1) + Bytes(2, Number(3, 1)) + Bytes(3, Bytes(2, "charsmap"));
  for (size_t size = 0; size < whole.size(); ++size) {
    const absl::Status status = ReadAsTokenizerJson(folder.Write("spiece.model", whole.substr(0, size))).status();
    CHECK((status.ok() || status.code() == kInvalid));
  }
}

// ---- which file it is ----

TEST_CASE("ContentDecidesWhatAFileIs") {
  const Folder folder;
  folder.Write("merges.txt", kMerges);
  CHECK(Rewritten(folder.Write("tokens", kVocabTxt))["model"]["type"] == "WordPiece");
  CHECK(Rewritten(folder.Write("words.json", kGpt2.dump()))["model"]["type"] == "BPE");
  CHECK(Rewritten(folder.Write("words", "\n " + kGpt2.dump(2)))["model"]["type"] == "BPE");
  CHECK(Rewritten(folder.Write("pieces", kXlnetPieces))["model"]["type"] == "Unigram");
  CHECK(Rewritten(folder.Write("it", SmallJson().dump())) == SmallJson());
  folder.WriteJson("vocab.json", kGpt2);
  CHECK(Rewritten(folder.Write("steps", kMerges))["model"]["type"] == "BPE");
  CHECK(Rewritten(folder.Write("steps", std::string("a b\nab c\n")))["model"]["type"] == "BPE");
  CHECK(Rewritten(folder.Write("brace.txt", "{\n" + kVocabTxt))["model"]["vocab"]["{"] == 0);
}

TEST_CASE("ATokenizerJsonComesBackAsItIs") {
  const Folder folder;
  const std::string text = " {\"version\" : \"1.0\"}\n";
  CHECK(ReadAsTokenizerJson(folder.Write("tokenizer.json", text))->content == text);
}

TEST_CASE("AFolderIsItsTokenizerJsonOrItsOnlyVocabulary") {
  const Folder folder;
  CHECK(ErrorOf(folder, folder.path(), kNotFound) == "has no tokenizer.json, vocab.txt, vocab.json or spiece.model");
  folder.Write("vocab.txt", kVocabTxt);
  CHECK(Rewritten(folder.path())["model"]["vocab"]["a"] == 5);
  folder.WriteJson("vocab.json", kGpt2);
  CHECK(ErrorOf(folder, folder.path(), kInvalid) == "has vocab.txt and vocab.json; name the one to use");
  folder.WriteJson("tokenizer.json", SmallJson());
  CHECK(Rewritten(folder.path()) == SmallJson());
}

}  // namespace
}  // namespace bertha::tokenizer

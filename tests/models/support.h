// What the tests of models/ share: packages in temporary directories, a good manifest and good probes to spoil.
#ifndef BERTHA_TESTS_MODELS_SUPPORT_H_
#define BERTHA_TESTS_MODELS_SUPPORT_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/statusor.h"
#include "models/manifest.h"
#include "nlohmann/json.hpp"
#include "tests/catch.h"

namespace bertha::models {

/// A directory that is gone, with all that is in it, at the end of the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bertha-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    path_ = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  REQUIRE(file.flush());
}

inline std::string FileContent(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

/// Manifest of a model with labels "no" and "yes" for 8 tokens.
inline nlohmann::json GoodManifest() {
  return {{"schema_version", 1},
          {"family", "bert"},
          {"task", "sequence-classification"},
          {"problem_type", "single_label_classification"},
          {"labels", {"no", "yes"}},
          {"max_length", 8},
          {"inputs", {"input_ids", "attention_mask", "token_type_ids"}},
          {"padding", {{"id", 0}, {"type_id", 0}, {"side", "right"}}},
          {"accepts_pairs", true},
          {"provenance", {{"from", "here"}}}};
}

/// Manifest of a model of another task, else like the one above: labels "O", "B-X" and "I-X", or vectors of 2 numbers.
inline nlohmann::json GoodManifest(Task task) {
  nlohmann::json manifest = GoodManifest();
  if (task == Task::kSequenceClassification) return manifest;
  manifest["task"] = std::string(TaskName(task));
  for (const char* key : {"problem_type", "labels"}) manifest.erase(key);
  if (task != Task::kEmbeddings) manifest.erase("accepts_pairs");
  if (task == Task::kTokenClassification) {
    manifest.update({{"labels", {"O", "B-X", "I-X"}}, {"aggregation", "first"}});
  } else if (task == Task::kEmbeddings) {
    manifest.update({{"dimension", 2}, {"pooling", "cls"}, {"normalize", true}});
  }
  return manifest;
}

inline constexpr Task kAllTasks[] = {Task::kSequenceClassification, Task::kTokenClassification,
                                     Task::kQuestionAnswering, Task::kEmbeddings};

inline nlohmann::json GoodProbes() {
  return {{"schema_version", 1},
          {"probes",
           {{{"text", "a b"},
             {"text_pair", nullptr},
             {"ids", {2, 5, 6, 3}},
             {"type_ids", {0, 0, 0, 0}},
             {"logits", {-1.5, 2.25}}},
            {{"text", "a"},
             {"text_pair", "b"},
             {"ids", {2, 5, 3, 6, 3}},
             {"type_ids", {0, 0, 0, 1, 1}},
             {"logits", {0.5, 0.125}}}}}};
}

/// The same texts with outputs of a model of `task`.
inline nlohmann::json GoodProbes(Task task) {
  nlohmann::json probes = GoodProbes();
  if (task == Task::kSequenceClassification) return probes;
  const size_t width = task == Task::kTokenClassification ? 3 : 2;
  for (nlohmann::json& probe : probes["probes"]) {
    probe["logits"] = nlohmann::json::array();
    for (size_t i = 0; i < probe["ids"].size() * width; ++i) probe["logits"].push_back(0.5 * static_cast<double>(i));
  }
  if (task == Task::kTokenClassification) probes["probes"][1]["text_pair"] = nullptr;
  return probes;
}

/// A WordPiece tokenizer that knows "a" and "b"; BERT's special tokens around the text.
inline nlohmann::json SmallTokenizer() {
  return nlohmann::json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                   "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": null,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "b": 5, "##a": 6, "##b": 7}}})");
}

inline Manifest ParsedManifest(const nlohmann::json& content = GoodManifest()) {
  absl::StatusOr<Manifest> manifest = ParseManifest(content.dump());
  INFO(manifest.status().ToString());
  REQUIRE(manifest.ok());
  return *std::move(manifest);
}

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_SUPPORT_H_

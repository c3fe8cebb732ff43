// A small network of each family: the weights that its file would have, under their names, and its manifest.
#ifndef BERTHA_TESTS_MODELS_MADE_UP_NETWORKS_H_
#define BERTHA_TESTS_MODELS_MADE_UP_NETWORKS_H_

#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "models/families/named_weights.h"
#include "models/manifest.h"
#include "nlohmann/json.hpp"

namespace bertha::models {

inline constexpr const char* kFamilyNames[] = {"bert", "roberta", "distilbert", "xlnet", "albert"};

// Sizes of the networks. GoodManifest allows 8 tokens; RoBERTa's positions begin behind its padding's id, 1.
inline constexpr size_t kWords = 11, kPositions = 10, kTypes = 2, kHidden = 4, kHeads = 2, kWide = 6, kNarrow = 3;

using Shapes = std::map<std::string, std::vector<size_t>>;

/// What answers depend on, with the names that begin with `prefix`. The encoder has two layers, which share their
/// weights in ALBERT.
Shapes ShapesOf(const std::string& family, Task task, const std::string& prefix = "model.");

/// One more of ALBERT's layers.
void AddAlbertLayer(const std::string& at, Shapes& shapes);

/// What the names of the encoder begin with, after the prefix, in a model of any task but embeddings.
std::string EncoderName(const std::string& family);

/// Seeded; none is 0, so that it matters.
NamedWeight RandomWeight(const std::vector<size_t>& shape, std::minstd_rand& random);
NamedWeights RandomWeights(const Shapes& shapes);

/// What forward() never reads, and models have nevertheless.
void AddUnread(const std::string& family, const std::string& encoder, NamedWeights& weights);

nlohmann::json ManifestJson(const std::string& family, Task task);

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_MADE_UP_NETWORKS_H_

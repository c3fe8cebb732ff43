// Cost tables that outlive the process: what a model took, for the next daemon that serves the same package on the same
// kind of machine. A start then knows from the first request on what can be done in time.
//
// One small text file for each package, processor, engine and number of threads (see batcher/cost_table.h). A file that
// is missing, damaged or cannot be written costs nothing but the knowledge.
// Thread-safety: one thread at a time.
#ifndef BERTHA_SERVER_COST_CACHE_H_
#define BERTHA_SERVER_COST_CACHE_H_

#include <string>

#include "batcher/cost_table.h"
#include "batcher/encoder.h"

namespace bertha::server {

class CostCache {
 public:
  /// `directory` is made when it is first needed; empty: nothing is kept.
  explicit CostCache(std::string directory) : directory_(std::move(directory)) {}

  /// The file for a package in `dir` that runs so; empty if nothing is kept.
  std::string FileOf(const std::string& dir, const batcher::EncoderDescription& encoder, int threads) const;

  /// What the file holds; nothing known if it cannot be read.
  static batcher::CostTable Load(const std::string& file);
  /// Replaces the file in one step.
  static void Save(const batcher::CostTable& costs, const std::string& file);

 private:
  const std::string directory_;
};

/// Learns from two short forward passes, of 8 and of 64 tokens: enough to begin with, and over in milliseconds.
void MeasureShortRuns(batcher::Encoder& encoder, batcher::CostTable& costs);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_COST_CACHE_H_

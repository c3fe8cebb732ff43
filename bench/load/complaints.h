// What was wrong with calls, for a person.
#ifndef BERTHA_BENCH_LOAD_COMPLAINTS_H_
#define BERTHA_BENCH_LOAD_COMPLAINTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "batcher/mutex.h"

namespace bertha::load {

/// The first message of each code that is not OK: what a person wants to know of many. Thread-safe.
class Complaints {
 public:
  void Add(absl::StatusCode code, absl::string_view message) {
    MutexLock lock(mutex_);
    first_.try_emplace(code, message);
  }
  std::map<absl::StatusCode, std::string> first() const {
    MutexLock lock(mutex_);
    return first_;
  }

 private:
  mutable Mutex mutex_;
  std::map<absl::StatusCode, std::string> first_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_COMPLAINTS_H_

#include "lanes/axis.h"

#include <algorithm>
#include <map>
#include <utility>

namespace gk::lanes {
namespace {

// Sorted by input: transposed taps fall where inputs rise.
std::vector<Meeting> reads_of(const Geometry& geometry, int axis, int output) {
  std::vector<Meeting> meetings = geometry.meetings(axis, output);
  std::sort(meetings.begin(), meetings.end(),
            [](const Meeting& a, const Meeting& b) { return a.input < b.input; });
  return meetings;
}

bool same_inputs(const std::vector<Meeting>& a, const std::vector<Meeting>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Meeting& x, const Meeting& y) { return x.input == y.input; });
}

}  // namespace

Axis find_runs(const Geometry& geometry, int axis, int most) {
  Axis found;
  std::map<std::vector<int>, int> keys;
  std::map<std::pair<int, std::vector<int>>, int> classes;
  for (int output = 0; output < geometry.output[axis];) {
    std::vector<std::vector<Meeting>> members{reads_of(geometry, axis, output)};
    for (int next = output + 1;
         next < geometry.output[axis] && static_cast<int>(members.size()) < most; ++next) {
      members.push_back(reads_of(geometry, axis, next));
      if (same_inputs(members[0], members.back())) continue;
      members.pop_back();
      break;
    }
    Run run{output, static_cast<int>(members.size()), {}};
    std::vector<int> signature{run.phase(geometry, axis)};
    for (size_t read = 0; read < members[0].size(); ++read) {
      std::vector<int> taps;
      for (const auto& member : members) taps.push_back(member[read].tap);
      const int key = keys.emplace(taps, static_cast<int>(keys.size())).first->second;
      run.reads.push_back({key, members[0][read].input});
      signature.push_back(key);
    }
    const int place =
        classes.emplace(std::pair(run.members, signature), static_cast<int>(classes.size()))
            .first->second;
    if (place == static_cast<int>(found.classes.size())) found.classes.emplace_back();
    output += run.members;
    found.classes[place].push_back(std::move(run));
  }
  found.keys.resize(keys.size());
  for (const auto& [taps, key] : keys) found.keys[key] = taps;
  return found;
}

}  // namespace gk::lanes

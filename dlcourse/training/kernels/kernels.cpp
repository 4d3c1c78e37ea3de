// What Python calls; each call runs on the thread that made it.
//
// native.py compiles this file behind the matrices of transforms.py, each a `constexpr float NAME[ROWS][COLUMNS]`.

#include <cstdint>
#include <cstring>
#include <initializer_list>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16;
using Floats = float __attribute__((vector_size(4 * LANES)));
using Words = uint32_t __attribute__((vector_size(4 * LANES)));
using Halves = uint16_t __attribute__((vector_size(2 * LANES)));
using Signs = int32_t __attribute__((vector_size(4 * LANES)));
struct bf16 { uint16_t bits; };  // the upper half of a float

inline __attribute__((always_inline)) Floats load(const float *from) {
  Floats values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

inline __attribute__((always_inline)) Floats load(const bf16 *from) {
  Halves bits;
  std::memcpy(&bits, from, sizeof bits);
  return (Floats)(__builtin_convertvector(bits, Words) << 16);
}

inline __attribute__((always_inline)) void store(float *to, Floats values) { std::memcpy(to, &values, sizeof values); }

inline __attribute__((always_inline)) void store(bf16 *to, Floats values) {  // rounded to the nearest, ties to even
#ifdef __AVX512BF16__
  const auto bits = _mm512_cvtneps_pbh((__m512)values);
#else
  const Words words = (Words)values;
  const Words near = (words + 0x7fff + ((words >> 16) & 1)) >> 16;
  const Halves bits = __builtin_convertvector(values != values ? Words{} + 0x7fc0 : near, Halves);
#endif
  std::memcpy(to, &bits, sizeof(bf16) * LANES);
}

inline float widened(bf16 number) {
  const uint32_t bits = uint32_t(number.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline bf16 rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {value != value ? uint16_t(0x7fc0) : uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

// Winograd's transforms: a region of maps [N, H, W, C] to tiles [points, N * h * w, C] and back, 16 channels at once.
// `down` is applied to columns of pixels, `along` to rows. Every loop over a matrix is unrolled, so that what is
// multiplied by 0 costs nothing.

template <const auto &matrix> constexpr int rows = sizeof(matrix) / sizeof(matrix[0]);
template <const auto &matrix> constexpr int columns = sizeof(matrix[0]) / sizeof(float);

// Whether rows r and r + 1 differ in signs alone, as those of two opposite points do, and r begins such a pair.
template <const auto &matrix> struct Pairs {
  bool begin[rows<matrix>] = {};
  constexpr Pairs() {
    for (int r = 0; r + 1 < rows<matrix>; r++) {
      begin[r] = r == 0 || !begin[r - 1];
      for (int c = 0; c < columns<matrix>; c++)
        if (matrix[r][c] != matrix[r + 1][c] && matrix[r][c] != -matrix[r + 1][c]) begin[r] = false;
    }
  }
};
template <const auto &matrix> constexpr Pairs<matrix> pairs{};

inline __attribute__((always_inline)) void add(Floats &sum, float factor, Floats value) {
  if (factor == 1) sum += value;
  else if (factor == -1) sum -= value;
  else if (factor != 0) sum += value * factor;
}

// out = matrix in
template <const auto &matrix>
inline __attribute__((always_inline)) void apply(const Floats (&in)[columns<matrix>], Floats (&out)[rows<matrix>]) {
#pragma GCC unroll 8
  for (int r = 0; r < rows<matrix>; r++) {
    if (r > 0 && pairs<matrix>.begin[r - 1]) continue;
    const bool pair = pairs<matrix>.begin[r];
    Floats same{}, opposite{};
#pragma GCC unroll 8
    for (int c = 0; c < columns<matrix>; c++)
      add(pair && matrix[r][c] != matrix[r + 1][c] ? opposite : same, matrix[r][c], in[c]);
    out[r] = pair ? same + opposite : same;
    if (pair) out[r + 1] = same - opposite;
  }
}

// down X along^T, where from(a, b) reads X and to(a, b, value) takes what comes of it.
template <const auto &down, const auto &along, class From, class To>
inline __attribute__((always_inline)) void transform(From from, To to) {
  constexpr int R = rows<down>, Q = rows<along>, S = columns<down>, T = columns<along>;
  Floats half[T][R];
#pragma GCC unroll 8
  for (int b = 0; b < T; b++) {
    Floats in[S];
#pragma GCC unroll 8
    for (int a = 0; a < S; a++) in[a] = from(a, b);
    apply<down>(in, half[b]);
  }
#pragma GCC unroll 8
  for (int a = 0; a < R; a++) {
    Floats in[T], out[Q];
#pragma GCC unroll 8
    for (int b = 0; b < T; b++) in[b] = half[b][a];
    apply<along>(in, out);
#pragma GCC unroll 8
    for (int b = 0; b < Q; b++) to(a, b, out[b]);
  }
}

// Tiles from patches of a map: one begins at every `height` and `width` pixels, `border` before it; what lies outside is 0.
template <const auto &down, const auto &along, class Number>
void cut(const Number *map, Number *tiles, int height, int width, int border,
         int N, int H, int W, int C, int top, int left, int h, int w) {
  constexpr int Q = rows<along>, S = columns<down>, T = columns<along>;
  static const Number nothing[LANES] = {};
  const int64_t step = int64_t(N) * h * w * C;
  for (int row = 0; row < N * h; row++)
    for (int j = 0; j < w; j++) {
      const Number *from[S][T];
      int inside[S][T];
      for (int a = 0; a < S; a++)
        for (int b = 0; b < T; b++) {
          const int y = top + row % h * height - border + a, x = left + j * width - border + b;
          inside[a][b] = y >= 0 && y < H && x >= 0 && x < W;
          from[a][b] = inside[a][b] ? map + ((int64_t(row / h) * H + y) * W + x) * C : nothing;
        }
      Number *tile = tiles + (int64_t(row) * w + j) * C;
      for (int c = 0; c < C; c += LANES) {
        transform<down, along>(
            [&](int a, int b) { return load(from[a][b] + inside[a][b] * c); },
            [&](int a, int b, Floats value) { store(tile + (a * Q + b) * step + c, value); });
      }
    }
}

// A region of a map from tiles, each R x Q pixels of it; what lies outside the map is left away.
template <const auto &down, const auto &along, class Number>
void join(const Number *tiles, Number *map, int N, int H, int W, int C, int top, int left, int h, int w) {
  constexpr int R = rows<down>, Q = rows<along>, T = columns<along>;
  const int64_t step = int64_t(N) * h * w * C;
  for (int row = 0; row < N * h; row++)
    for (int j = 0; j < w; j++) {
      const Number *tile = tiles + (int64_t(row) * w + j) * C;
      for (int c = 0; c < C; c += LANES) {
        transform<down, along>(
            [&](int a, int b) { return load(tile + (a * T + b) * step + c); },
            [&](int a, int b, Floats value) {
              const int y = top + row % h * R + a, x = left + j * Q + b;
              if (y < H && x < W) store(map + ((int64_t(row / h) * H + y) * W + x) * C + c, value);
            });
      }
    }
}

// Maximum of 2 x 2 pixels: maps [N, H, W, C] to [N, H / 2, W / 2, C], 16 channels at once. What is no number counts as
// the largest.

inline Signs exceeds(Floats value, Floats most) { return (value > most) | (value != value); }

template <class Number> void pool(const Number *map, Number *pooled, int N, int H, int W, int C) {
  const int h = H / 2, w = W / 2;
  const int64_t below = int64_t(W) * C;
  for (int row = 0; row < N * h; row++)
    for (int j = 0; j < w; j++) {
      const Number *top = map + ((int64_t(row / h) * H + row % h * 2) * W + j * 2) * C;
      Number *to = pooled + (int64_t(row) * w + j) * C;
      for (int c = 0; c < C; c += LANES) {
        Floats most = load(top + c);
        for (const int64_t further : {int64_t(C), below, below + C}) {
          const Floats value = load(top + further + c);
          most = exceeds(value, most) ? value : most;
        }
        store(to + c, most);
      }
    }
}

// The gradient goes to the first of the largest; the last row and column of an odd map, which no window sees, have none.
template <class Number>
void pool_back(const Number *map, const Number *slopes, Number *made, int N, int H, int W, int C) {
  const int h = H / 2, w = W / 2;
  const int64_t place[4] = {0, C, int64_t(W) * C, int64_t(W) * C + C};
  for (int64_t y = 0; y < int64_t(N) * H; y++)
    for (int x = 0; x < W; x++)
      if (y % H == 2 * h || x == 2 * w) std::memset(made + (y * W + x) * C, 0, C * sizeof(Number));
  for (int row = 0; row < N * h; row++)
    for (int j = 0; j < w; j++) {
      const int64_t at = ((int64_t(row / h) * H + row % h * 2) * W + j * 2) * C;
      const Number *slope = slopes + (int64_t(row) * w + j) * C;
      for (int c = 0; c < C; c += LANES) {
        Floats most = load(map + at + c);
        Signs chosen{};
        for (int k = 1; k < 4; k++) {
          const Floats value = load(map + at + place[k] + c);
          const Signs more = exceeds(value, most);
          most = more ? value : most;
          chosen = more ? Signs{} + k : chosen;
        }
        const Signs bits = (Signs)load(slope + c);
        for (int k = 0; k < 4; k++) store(made + at + place[k] + c, (Floats)(bits & (chosen == k)));
      }
    }
}

}  // namespace

// A function of 65,536 possible numbers is a table.

extern "C" void look_up_bf16(const uint16_t *numbers, uint16_t *found, const uint16_t *table, int64_t count) {
  for (int64_t i = 0; i < count; i++) found[i] = table[numbers[i]];
}

extern "C" void look_up_times_bf16(
    const bf16 *numbers, const bf16 *factors, bf16 *products, const float *table, int64_t count) {
  for (int64_t i = 0; i < count; i++) products[i] = rounded(widened(factors[i]) * table[numbers[i].bits]);
}

#define POOL(Number, name)                                                                               \
  extern "C" void pool_##name(const Number *map, Number *pooled, int64_t N, int64_t H, int64_t W, int64_t C) {  \
    pool(map, pooled, N, H, W, C);                                                                       \
  }                                                                                                      \
  extern "C" void pool_back_##name(                                                                      \
      const Number *map, const Number *slopes, Number *made, int64_t N, int64_t H, int64_t W, int64_t C) {  \
    pool_back(map, slopes, made, N, H, W, C);                                                            \
  }
POOL(float, fp32)
POOL(bf16, bf16)

#define SHAPE                                                                                            \
  int64_t N, int64_t H, int64_t W, int64_t C, int64_t top, int64_t left, int64_t h, int64_t w
#define OF N, H, W, C, top, left, h, w
#define KERNELS(Y, X, Number, name)                                                                      \
  extern "C" void data_##Y##x##X##_##name(const Number *map, Number *tiles, SHAPE) {                     \
    cut<data_##Y, data_##X>(map, tiles, Y, X, 1, OF);                                                    \
  }                                                                                                      \
  extern "C" void output_##Y##x##X##_##name(const Number *tiles, Number *map, SHAPE) {                   \
    join<output_##Y, output_##X>(tiles, map, OF);                                                        \
  }                                                                                                      \
  extern "C" void output_back_##Y##x##X##_##name(const Number *map, Number *tiles, SHAPE) {              \
    cut<output_back_##Y, output_back_##X>(map, tiles, Y, X, 0, OF);                                      \
  }
#define FILTER(Y, X)                                                                                     \
  extern "C" void filter_##Y##x##X##_fp32(const float *map, float *tiles, SHAPE) {                       \
    cut<filter_##Y, filter_##X>(map, tiles, 3, 3, 0, OF);                                                \
  }                                                                                                      \
  extern "C" void filter_back_##Y##x##X##_fp32(const float *tiles, float *map, SHAPE) {                  \
    join<filter_back_##Y, filter_back_##X>(tiles, map, OF);                                              \
  }
#define ALL(Y, X) KERNELS(Y, X, float, fp32) KERNELS(Y, X, bf16, bf16) FILTER(Y, X)

ALL(2, 2)
ALL(2, 3)
ALL(3, 2)
ALL(3, 3)
ALL(4, 4)

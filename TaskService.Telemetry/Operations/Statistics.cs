using System.Collections.Concurrent;
using System.Numerics;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// Counts and durations of operations by name, since the start or the last reset. In memory: 4.3 kB a name. Safe for
/// use by several threads at once; counts are exact.
/// </summary>
public sealed class Statistics
{
    /// <summary>Operations of further names are counted together, as <see cref="OtherName"/>.</summary>
    public const int NamesMax = 1000;

    public const string OtherName = "_other";

    private volatile Table table = new();

    /// <summary>Counts an operation; allocates nothing once its name is known.</summary>
    public void Record(string type, ReadOnlySpan<Field> fields, TimeSpan duration) =>
        Record(OperationKey.Of(type, fields), duration);

    internal void Record(OperationKey key, TimeSpan duration)
    {
        // A table that was taken meanwhile takes no more: the next one counts it.
        while (!table.Find(key).Add(duration.Ticks))
        {
        }
    }

    /// <summary>A snapshot in no order, without names that have no operations. Each entry is consistent.</summary>
    public IReadOnlyList<OperationStatistics> Snapshot() => table.Read(isLast: false);

    /// <summary>
    /// As <see cref="Snapshot"/>, and clears exactly what it returns: an operation that ends meanwhile is either in it
    /// or counted from then on.
    /// </summary>
    public IReadOnlyList<OperationStatistics> Take() => Interlocked.Exchange(ref table, new Table()).Read(isLast: true);

    /// <summary>The names between two resets.</summary>
    private sealed class Table
    {
        private readonly Lock gate = new();
        private readonly ConcurrentDictionary<OperationKey, Durations> named = new();
        private readonly Durations other = new();
        private volatile int count;
        private bool isClosed;

        public Durations Find(OperationKey key) =>
            named.TryGetValue(key, out var found) ? found : count < NamesMax ? Add(key) : other;

        public IReadOnlyList<OperationStatistics> Read(bool isLast)
        {
            lock (gate)
            {
                isClosed |= isLast;
            }
            return
            [
                .. named.Select(entry => entry.Value.Read(entry.Key.ToName(), isLast))
                    .Append(other.Read(new MetricName([OtherName]), isLast))
                    .OfType<OperationStatistics>(),
            ];
        }

        private Durations Add(OperationKey key)
        {
            lock (gate)
            {
                if (isClosed)
                {
                    return Durations.Closed;
                }
                if (named.TryGetValue(key, out var found))
                {
                    return found;
                }
                if (count >= NamesMax)
                {
                    return other;
                }
                count++;
                return named[key] = new Durations();
            }
        }
    }

    /// <summary>
    /// A histogram of ticks of 100 ns: 16 buckets of equal width for each power of two. The middle of a bucket is at
    /// most 1/32 off from the values in it.
    /// </summary>
    private sealed class Durations
    {
        private const int StepBits = 4;
        private const int Steps = 1 << StepBits;

        // Up to 2^36 ticks, 1.9 hours; longer durations are in the last bucket.
        private const int Buckets = (36 - StepBits + 1) * Steps;

        // Five values change together: a lock is no dearer than five interlocked additions, and readers see one state.
        private readonly Lock gate = new();
        private readonly long[] counts = new long[Buckets];
        private long count;
        private long sum;
        private long min = long.MaxValue;
        private long max;
        private bool isClosed;

        /// <summary>Takes nothing.</summary>
        public static Durations Closed { get; } = new() { isClosed = true };

        /// <returns>False when they were read for the last time: nothing was added.</returns>
        public bool Add(long ticks)
        {
            ticks = Math.Max(0, ticks);
            var bucket = Math.Min(BucketOf(ticks), Buckets - 1);
            lock (gate)
            {
                if (isClosed)
                {
                    return false;
                }
                counts[bucket]++;
                count++;
                sum += ticks;
                min = Math.Min(min, ticks);
                max = Math.Max(max, ticks);
                return true;
            }
        }

        /// <returns>Null for none.</returns>
        public OperationStatistics? Read(MetricName name, bool isLast)
        {
            lock (gate)
            {
                isClosed |= isLast;
                return count == 0
                    ? null
                    : new OperationStatistics(
                        name, count, Ms((double)sum / count), Ms(min), Ms(max), Rank(0.5), Rank(0.9), Rank(0.99));
            }
        }

        private static double Ms(double ticks) => ticks / TimeSpan.TicksPerMillisecond;

        // Below 16 ticks each value has its own bucket. From there on, the highest bit selects the power of two, and
        // the four bits below it the step.
        private static int BucketOf(long ticks)
        {
            var shift = Math.Max(0, BitOperations.Log2((ulong)ticks) - StepBits);
            return shift * Steps + (int)(ticks >> shift);
        }

        private static double MiddleOf(int bucket)
        {
            var shift = Math.Max(0, bucket / Steps - 1);
            var lowest = (long)(bucket - shift * Steps) << shift;
            return lowest + ((1L << shift) - 1) / 2.0;
        }

        /// <summary>A percentile by nearest rank, in milliseconds.</summary>
        private double Rank(double part)
        {
            var left = Math.Max(1, (long)Math.Ceiling(part * count));
            var bucket = 0;
            for (left -= counts[0]; left > 0; left -= counts[bucket])
            {
                bucket++;
            }
            return Ms(Math.Clamp(MiddleOf(bucket), min, max));
        }
    }
}

/// <summary>Count and durations of the operations of one name.</summary>
/// <param name="Count">How many have ended.</param>
/// <param name="P50Ms">
/// The median. Percentiles are of the nearest rank and off by 1/32 at most, from 100 ns to 1.9 hours; longer durations
/// count as that.
/// </param>
public sealed record OperationStatistics(
    MetricName Name,
    long Count,
    double AverageMs,
    double MinMs,
    double MaxMs,
    double P50Ms,
    double P90Ms,
    double P99Ms);

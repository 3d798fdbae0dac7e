using System.Text;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>
/// The retry delay that a gRPC receiver requests: the RetryInfo in the details of a status (google/rpc/status.proto and
/// error_details.proto).
/// </summary>
internal static class GrpcRetryInfo
{
    private const string Type = "/google.rpc.RetryInfo";

    // A longer delay is never used, and a TimeSpan cannot hold the maximum.
    private const long SecondsMax = 24 * 60 * 60;

    /// <param name="details">The trailer <c>grpc-status-details-bin</c>.</param>
    /// <returns>Null when it has none, or is malformed.</returns>
    public static TimeSpan? Find(string details)
    {
        // Padding is optional.
        var padded = details.PadRight((details.Length + 3) / 4 * 4, '=');
        var status = new byte[padded.Length];
        if (!Convert.TryFromBase64String(padded, status, out var length))
        {
            return null;
        }
        var fields = new Fields(status.AsSpan(0, length));
        while (fields.Next())
        {
            if (fields.Number == 3 && DelayOf(fields.Bytes) is { } delay)
            {
                return delay;
            }
        }
        return null;
    }

    // A detail (google.protobuf.Any) has a type and a message.
    private static TimeSpan? DelayOf(ReadOnlySpan<byte> detail)
    {
        var isIt = false;
        var info = ReadOnlySpan<byte>.Empty;
        var fields = new Fields(detail);
        while (fields.Next())
        {
            if (fields.Number == 1)
            {
                isIt = Encoding.UTF8.GetString(fields.Bytes).EndsWith(Type, StringComparison.Ordinal);
            }
            else if (fields.Number == 2)
            {
                info = fields.Bytes;
            }
        }
        if (!isIt)
        {
            return null;
        }
        var delays = new Fields(info);
        return delays.Next() && delays.Number == 1 ? Duration(delays.Bytes) : TimeSpan.Zero;
    }

    private static TimeSpan Duration(ReadOnlySpan<byte> duration)
    {
        var (seconds, nanoseconds) = (0L, 0L);
        var fields = new Fields(duration);
        while (fields.Next())
        {
            (seconds, nanoseconds) = fields.Number switch
            {
                1 => ((long)fields.Bits, nanoseconds),
                2 => (seconds, (long)fields.Bits),
                _ => (seconds, nanoseconds),
            };
        }
        return TimeSpan.FromSeconds(Math.Clamp(seconds, 0, SecondsMax))
            + TimeSpan.FromTicks(Math.Clamp(nanoseconds, 0, 999_999_999) / TimeSpan.NanosecondsPerTick);
    }

    /// <summary>The fields of a message, up to the first malformed one.</summary>
    private ref struct Fields(ReadOnlySpan<byte> message)
    {
        private ReadOnlySpan<byte> rest = message;

        public int Number { get; private set; }

        /// <summary>The value of a number.</summary>
        public ulong Bits { get; private set; }

        /// <summary>The value of a text or a message.</summary>
        public ReadOnlySpan<byte> Bytes { get; private set; }

        public bool Next()
        {
            Bits = 0;
            Bytes = default;
            if (!TryVarint(out var tag))
            {
                return false;
            }
            Number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    var isWhole = TryVarint(out var bits);
                    Bits = bits;
                    return isWhole;
                case 1:
                    return TryBytes(sizeof(ulong));
                case 2:
                    return TryVarint(out var length) && TryBytes(length);
                case 5:
                    return TryBytes(sizeof(uint));
                default:
                    return false;
            }
        }

        private bool TryBytes(ulong length)
        {
            if (length > (ulong)rest.Length)
            {
                return false;
            }
            Bytes = rest[..(int)length];
            rest = rest[(int)length..];
            return true;
        }

        // Seven bits a byte, the lowest first; the eighth is set when more follow.
        private bool TryVarint(out ulong value)
        {
            value = 0;
            for (var i = 0; i < rest.Length && i < 10; i++)
            {
                value |= (ulong)(rest[i] & 0x7f) << (7 * i);
                if (rest[i] < 0x80)
                {
                    rest = rest[(i + 1)..];
                    return true;
                }
            }
            return false;
        }
    }
}

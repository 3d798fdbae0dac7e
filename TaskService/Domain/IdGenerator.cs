using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace TaskService.Domain;

/// <summary>
/// Generates ids: UUIDs of version 7 as 32 lower-case hexadecimal digits, strictly increasing, so that id order is
/// creation order.
/// Layout (RFC 9562 section 6.2, method 1): 48 bits of Unix milliseconds, a counter of 42 bits that starts at a
/// random value in each millisecond, 32 random bits. When the clock stands still or goes back, only the counter
/// advances.
/// </summary>
internal sealed class IdGenerator(TimeProvider time)
{
    public const int CharactersMax = 64;
    private const ulong CounterMax = (1UL << 42) - 1;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    private readonly Lock gate = new();

    // One system call fills it for 128 ids.
    private readonly byte[] random = new byte[128 * 8];
    private int randomUsed = 128 * 8;
    private ulong milliseconds;
    private ulong counter;

    /// <summary>Whether a resource can have this id: 1 to 64 of A-Z, a-z, 0-9 and the hyphen.</summary>
    public static bool IsValid(ReadOnlySpan<char> id) =>
        id.Length is >= 1 and <= CharactersMax && !id.ContainsAnyExcept(Allowed);

    /// <summary>Makes the next id.</summary>
    public string Next()
    {
        ulong high, low;
        lock (gate)
        {
            var now = (ulong)time.GetUtcNow().ToUnixTimeMilliseconds();
            var bits = NextRandom();
            if (now > milliseconds)
            {
                // The upper bit of a fresh counter is 0, so that it has room to be incremented before it overflows.
                (milliseconds, counter) = (now, bits >> 23);
            }
            else if (++counter > CounterMax)
            {
                (milliseconds, counter) = (milliseconds + 1, bits >> 23);
            }
            high = (milliseconds << 16) | 0x7000 | (counter >> 30);
            low = 0x8000_0000_0000_0000 | ((counter & 0x3fff_ffff) << 32) | (uint)bits;
        }
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], low);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>Makes all ids from now on higher than those of a store that a generator has made.</summary>
    /// <param name="idsDescending">The highest first.</param>
    public async Task StartAboveAsync(IAsyncEnumerable<string> idsDescending)
    {
        await foreach (var id in idsDescending)
        {
            if (StartAbove(id))
            {
                return;
            }
        }
    }

    /// <summary>Makes all ids from now on higher than this one, whatever the clock says.</summary>
    /// <returns>False, and nothing changes, when it is not an id that <see cref="Next"/> could have made.</returns>
    public bool StartAbove(string id)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (id.Length != 32 || id.AsSpan().ContainsAnyInRange('A', 'F')
            || Convert.FromHexString(id, bytes, out _, out _) != OperationStatus.Done
            || bytes[6] >> 4 != 7 || bytes[8] >> 6 != 2)
        {
            return false;
        }
        var high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        var low = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        var stored = (Milliseconds: high >> 16, Counter: ((high & 0xfff) << 30) | ((low >> 32) & 0x3fff_ffff));
        lock (gate)
        {
            if (stored.CompareTo((milliseconds, counter)) > 0)
            {
                (milliseconds, counter) = stored;
            }
        }
        return true;
    }

    private ulong NextRandom()
    {
        if (randomUsed == random.Length)
        {
            RandomNumberGenerator.Fill(random);
            randomUsed = 0;
        }
        var bits = BinaryPrimitives.ReadUInt64LittleEndian(random.AsSpan(randomUsed));
        randomUsed += sizeof(ulong);
        return bits;
    }
}

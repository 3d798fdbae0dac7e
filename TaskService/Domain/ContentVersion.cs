using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace TaskService.Domain;

/// <summary>
/// The XXH3 hash of a content in 128 bits, the same on every engine and machine.
/// Equal content has an equal version, so writing back the old content restores the old version.
/// The hash detects changes, not forgeries: a client that may write a resource could construct two contents with one
/// version, and deceive clients that compare versions of it. SHA-256 costs 0.5 us more, a fortieth of a create.
/// </summary>
internal readonly record struct ContentVersion(UInt128 Hash)
{
    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Hash.ToString("x32", null);
}

/// <summary>
/// Computes a <see cref="ContentVersion"/>. The order of members is part of every version that a client holds: it never
/// changes. A member that is added later comes last, behind a byte of its own, and only when it is set.
/// </summary>
internal ref struct ContentHash
{
    private const int OtherBytesMax = 256;

    private readonly byte[] buffer;
    private int length;

    /// <param name="texts">The texts of the content, in an order that never changes.</param>
    public ContentHash(params ReadOnlySpan<string?> texts)
    {
        var bytesMax = OtherBytesMax;
        foreach (var text in texts)
        {
            bytesMax += sizeof(int) + Encoding.UTF8.GetMaxByteCount(text?.Length ?? 0);
        }
        buffer = ArrayPool<byte>.Shared.Rent(bytesMax);
        foreach (var text in texts)
        {
            // The length precedes the text, so that no two contents share their bytes; -1 is null, 0 is empty.
            var size = text is null ? -1 : Encoding.UTF8.GetBytes(text, buffer.AsSpan(length + sizeof(int)));
            BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(length), size);
            length += sizeof(int) + Math.Max(size, 0);
        }
    }

    public void Add(byte value) => buffer[length++] = value;

    public void Add(bool value) => Add(value ? (byte)1 : (byte)0);

    public void Add(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(buffer.AsSpan(length), value);
        length += sizeof(long);
    }

    /// <summary>Returns the version; nothing can be added any more.</summary>
    public readonly ContentVersion End()
    {
        var version = new ContentVersion(XxHash128.HashToUInt128(buffer.AsSpan(0, length)));
        ArrayPool<byte>.Shared.Return(buffer);
        return version;
    }
}

using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace TaskService.Domain;

/// <summary>
/// Which content a task has: the first 128 bits of the SHA-256 of it, the same on every engine and machine.
/// Equal content has an equal version, so writing back what was there restores the old one.
/// </summary>
internal readonly record struct TaskVersion(UInt128 Hash)
{
    /// <summary>The version of this content. Every property of <see cref="TaskEntry"/> counts.</summary>
    public static TaskVersion Of(TaskEntry task)
    {
        const int fixedBytes = sizeof(int) * 2 + sizeof(byte) * 2 + sizeof(long);
        var bytesMax = fixedBytes + Encoding.UTF8.GetMaxByteCount(task.Title.Length)
            + Encoding.UTF8.GetMaxByteCount(task.Description?.Length ?? 0);
        var buffer = ArrayPool<byte>.Shared.Rent(bytesMax);
        var length = 0;
        PutText(task.Title);
        PutText(task.Description);
        buffer[length++] = (byte)task.Priority;
        buffer[length++] = task.Completed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt64LittleEndian(buffer.AsSpan(length), task.DueDate?.Ticks ?? -1);
        length += sizeof(long);

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer.AsSpan(0, length), hash);
        ArrayPool<byte>.Shared.Return(buffer);
        return new TaskVersion(BinaryPrimitives.ReadUInt128BigEndian(hash));

        // The length goes before the text, so that no two tasks share their bytes; -1 tells none from empty.
        void PutText(string? text)
        {
            var size = text is null ? -1 : Encoding.UTF8.GetBytes(text, buffer.AsSpan(length + sizeof(int)));
            BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(length), size);
            length += sizeof(int) + Math.Max(size, 0);
        }
    }

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Hash.ToString("x32", null);
}

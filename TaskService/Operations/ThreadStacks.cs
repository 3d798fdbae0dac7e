using System.Diagnostics.Tracing;
using System.Globalization;
using System.Text;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing.Etlx;

namespace TaskService.Operations;

/// <summary>
/// The managed stacks of all threads, which a process can read of itself only through its own EventPipe, as
/// dotnet-stack does from outside. The libraries for it are loaded when somebody asks.
/// </summary>
internal static class ThreadStacks
{
    // The profiler takes a sample of each thread about every millisecond, later where the machine is busy.
    private static readonly int[] SampleMilliseconds = [60, 240, 960];

    private const string Profiler = "Microsoft-DotNETCore-SampleProfiler";

    private static readonly Lock Gate = new();
    private static Task<string>? running;

    /// <summary>Takes the stacks; those who ask meanwhile get the same ones.</summary>
    /// <returns>
    /// The text: a paragraph for each different stack, with the threads that have it, innermost frame first.
    /// </returns>
    /// <exception cref="ServerNotAvailableException">Diagnostics are switched off.</exception>
    public static Task<string> CaptureAsync()
    {
        lock (Gate)
        {
            // On a thread of its own, since those of the pool may be what is stuck.
            return running = running is { IsCompleted: false } ? running : Task.Factory.StartNew(
                Capture, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    private static string Capture()
    {
        var text = "";
        foreach (var milliseconds in SampleMilliseconds)
        {
            (var threads, text) = Capture(milliseconds);
            // Those of the pool, this one and the one that copies; else there was no time for all.
            if (threads >= ThreadPool.ThreadCount + 2)
            {
                break;
            }
        }
        return text;
    }

    private static (int Threads, string Text) Capture(int milliseconds)
    {
        var directory = Directory.CreateTempSubdirectory("taskservice-stacks-");
        try
        {
            var (trace, log) = (Path.Combine(directory.FullName, "trace"), Path.Combine(directory.FullName, "log"));
            Record(trace, milliseconds);
            TraceLog.CreateFromEventPipeDataFile(trace, log, new TraceLogOptions { ContinueOnError = true });
            using var opened = new TraceLog(log);
            return Text(opened);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static void Record(string path, int milliseconds)
    {
        var client = new DiagnosticsClient(Environment.ProcessId);
        using var session = client.StartEventPipeSession(
            [new EventPipeProvider(Profiler, EventLevel.Informational)], requestRundown: true);
        using var file = File.Create(path);
        var copy = Task.Factory.StartNew(
            () => session.EventStream.CopyTo(file),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        // The stream ends only when the session does.
        copy.Wait(milliseconds);
        session.Stop();
        copy.Wait(Timeout.Infinite);
    }

    private static (int Threads, string Text) Text(TraceLog log)
    {
        var last = new SortedDictionary<int, CallStackIndex>();
        // All events are one object, which is filled anew for each: it must not be kept.
        foreach (var sample in log.Events)
        {
            if (sample.ProviderName == Profiler && sample.CallStackIndex() is var index
                && index != CallStackIndex.Invalid)
            {
                last[sample.ThreadID] = index;
            }
        }
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{last.Count} managed threads");
        // Different indexes may be the same frames, at other instructions.
        var groups = last.GroupBy(thread => Frames(log.CallStacks[thread.Value]), thread => thread.Key);
        foreach (var group in groups.OrderBy(group => group.Count()))
        {
            var threads = string.Join(", ", group.Select(id => $"{NameOf(id)}({id})"));
            text.AppendLine().AppendLine(
                group.Count() == 1 ? $"# Thread: {threads}" : $"# {group.Count()} threads: {threads}");
            text.Append(group.Key);
        }
        return (last.Count, text.ToString());
    }

    private static string Frames(TraceCallStack innermost)
    {
        var frames = new StringBuilder();
        for (var frame = innermost; frame is not null; frame = frame.Caller)
        {
            var address = frame.CodeAddress;
            frames.AppendLine(CultureInfo.InvariantCulture, $"  {address.ModuleName}!{address.FullMethodName}");
        }
        return frames.ToString();
    }

    /// <summary>As the system knows it; empty where it does not.</summary>
    private static string NameOf(int thread)
    {
        try
        {
            return File.ReadAllText($"/proc/self/task/{thread}/comm").Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It has ended, or this is not Linux.
            return "";
        }
    }
}

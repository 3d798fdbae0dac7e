using System.Diagnostics;

namespace TaskService.Telemetry.Operations;

// How code is observed: Operation.Run(".parse", operation => Parse(text)), or RunAsync where it awaits. An operation
// without exporters and statistics has little overhead and no effect.
public sealed partial class Operation
{
    /// <inheritdoc cref="OperationSource.Start"/>
    public static Operation Start(
        string name, string? id = null, ActivityKind kind = ActivityKind.Internal, Sample? sample = null) =>
        (Current?.Telemetry ?? OperationSource.Default).Start(name, id, kind, sample);

    /// <summary>
    /// Begins to time a call as an operation that has no fields and is never current, which allocates nothing: for
    /// calls that each request makes. What the call starts is a child of the current operation.
    /// </summary>
    /// <returns>Null unless statistics are all that read it: then it is an operation as any other.</returns>
    public static OperationCount? StartCount(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var current = Current;
        var telemetry = current?.Telemetry ?? OperationSource.Default;
        return telemetry.IsOnlyCounted
            ? new OperationCount(telemetry.Statistics!, OperationName.Resolve(name, current).Type) : null;
    }

    /// <summary>Runs code as an operation; an exception is recorded and rethrown.</summary>
    /// <remarks>The operation ends when <paramref name="work"/> returns: asynchronous code uses RunAsync.</remarks>
    public static T Run<T>(string name, Func<Operation, T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        using var operation = Start(name);
        try
        {
            return work(operation);
        }
        catch (Exception error)
        {
            operation.Fail(error);
            throw;
        }
    }

    /// <inheritdoc cref="Run{T}"/>
    public static void Run(string name, Action<Operation> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        Run(name, operation =>
        {
            work(operation);
            return true;
        });
    }

    /// <summary>Runs code as an operation; an exception is recorded and rethrown.</summary>
    public static async ValueTask<T> RunAsync<T>(string name, Func<Operation, ValueTask<T>> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        var operation = Start(name);
        try
        {
            return await work(operation).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            operation.Fail(error);
            throw;
        }
        finally
        {
            // The async method restores Operation.Current when it returns.
            operation.End([]);
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public static async ValueTask RunAsync(string name, Func<Operation, ValueTask> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        await RunAsync(name, async operation =>
        {
            await work(operation).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
    }
}

/// <summary>A call that is counted and timed, when it ends.</summary>
public readonly record struct OperationCount
{
    private readonly Statistics statistics;
    private readonly string type;
    private readonly long started;

    internal OperationCount(Statistics statistics, string type) =>
        (this.statistics, this.type, started) = (statistics, type, Stopwatch.GetTimestamp());

    public void End() => statistics.Record(type, [], Stopwatch.GetElapsedTime(started));
}
